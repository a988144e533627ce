//! Calls functions of the embedder's, as it is told to, and says what came of it.

use std::error::Error;
use std::time::Duration;

use insula_guest::{HostFunction, Isolate, ReceivePort, SendPort, ServiceEnd, host_function, names, run, task};
use serde::{Deserialize, Serialize};

type Whoami = HostFunction<(), String>;

#[derive(Serialize, Deserialize)]
enum Order {
    Double(u64),
    /// The function of this name, which it may not have.
    Find(String),
    /// As if it took and returned texts.
    Misuse,
    Whoami,
    /// What a child is that has what this has, one that has nothing, and one that is sent the stub.
    Children,
    /// Of a gate, which opens when the embedder likes.
    Wait,
    WaitShortly,
    /// Many calls at once.
    Many(u64),
    /// So many bytes.
    Bytes(u64),
    Register(String),
    /// So many calls at once, and the first error that comes of one.
    Flood(u64),
}

fn asks(told: SendPort<String>) {
    let name = host_function("whoami").map(|whoami: Whoami| whoami.call(&()));
    told.send(format!("{name:?}")).ok();
}

fn is_sent((whoami, told): (Whoami, SendPort<String>)) {
    told.send(format!("{:?}", whoami.call(&()))).ok();
}

fn children() -> Result<String, Box<dyn Error>> {
    let told = ReceivePort::new();
    let mut all = Vec::new();
    Isolate::build().debug_name("heir").spawn(asks, told.send_port())?;
    all.push(told.recv()?);
    let bare = Isolate::build().debug_name("bare").inherit_grants(false);
    bare.clone().spawn(asks, told.send_port())?;
    all.push(told.recv()?);
    bare.spawn(is_sent, (host_function("whoami")?, told.send_port()))?;
    all.push(told.recv()?);
    Ok(all.join("; "))
}

fn many(calls: u64) -> Result<String, Box<dyn Error>> {
    let double = host_function::<u64, Result<u64, String>>("double")?;
    let sum = run(async move {
        let call = |number| {
            let double = double.clone();
            task::compute(async move { double.call_async(&number).await })
        };
        let tasks: Vec<_> = (0..calls).map(call).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await??;
        }
        Ok::<u64, Box<dyn Error>>(sum)
    });
    Ok(sum?.to_string())
}

fn flood(calls: u64) -> Result<String, Box<dyn Error>> {
    let double = host_function::<u64, Result<u64, String>>("double")?;
    let errors = ReceivePort::<String>::new();
    let error = run(async move {
        let call = |number| {
            let (double, errors) = (double.clone(), errors.send_port());
            task::compute(async move {
                if let Err(error) = double.call_async(&number).await {
                    errors.send(error.to_string()).ok();
                }
            })
        };
        let tasks: Vec<_> = (0..calls).map(call).collect();
        let error = errors.into_stream().next().await;
        tasks.into_iter().for_each(task::Task::abort);
        error
    });
    Ok(error.unwrap_or_default())
}

fn obey(order: Order) -> Result<String, Box<dyn Error>> {
    let double = || host_function::<u64, Result<u64, String>>("double");
    let gate = || host_function::<(), ()>("gate");
    Ok(match order {
        Order::Double(number) => format!("{:?}", double()?.call(&number)?),
        Order::Find(name) => format!("{:?}", host_function::<(), ()>(&name)?),
        Order::Misuse => format!("{:?}", host_function::<String, String>("double")?.call(&"a text".to_owned())?),
        Order::Whoami => host_function::<(), String>("whoami")?.call(&())?,
        Order::Children => children()?,
        Order::Wait => format!("{:?}", gate()?.call(&())),
        Order::WaitShortly => format!("{:?}", gate()?.call_timeout(&(), Duration::from_millis(1))),
        Order::Many(calls) => many(calls)?,
        Order::Bytes(bytes) => host_function::<u64, Vec<u8>>("bytes")?.call(&bytes)?.len().to_string(),
        Order::Flood(calls) => flood(calls)?,
        Order::Register(name) => format!("{:?}", names::register(&name, &ReceivePort::<()>::new().send_port())?),
    })
}

fn serve(end: ServiceEnd<Order, String>) {
    end.serve(|order| obey(order).unwrap_or_else(|error| error.to_string()));
}

insula_guest::export!(serve as "run");

fn main() {}
