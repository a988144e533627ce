//! A job that takes too long or is cancelled is killed, and its worker replaced.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, JobError, Pool, Priority, ReceivePort, SendPort, run as run_future, task};

type Begun = SendPort<Isolate>;

fn loops(begun: Begun) -> u32 {
    begun.send(Isolate::current()).ok();
    loop {
        std::hint::spin_loop();
    }
}

fn forever(_: ()) -> u32 {
    loop {
        std::hint::spin_loop();
    }
}

/// Makes a pool that has something to do, and waits to be killed.
fn owns(begun: SendPort<Isolate>) -> Result<(), Box<dyn Error>> {
    let pool = Pool::new(1)?;
    pool.submit(loops, begun)?.join()?;
    Ok(())
}

fn fine(number: u32) -> u32 {
    number
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (begun, gone) = (ReceivePort::<Isolate>::new(), ReceivePort::new());
    let pool = Pool::new(1)?;
    let begins = || -> Result<(), Box<dyn Error>> {
        begun.recv()?.add_exit_listener(&gone.send_port(), "its worker is gone".to_owned())?;
        Ok(())
    };

    let worker = pool.submit(|_: ()| Isolate::current(), ())?.join()?;
    worker.add_exit_listener(&gone.send_port(), "its worker is gone".to_owned())?;
    let job = pool.job().timeout(Duration::from_millis(5)).submit(forever, ())?;
    report.send(format!("timed out: {}, {}", job.join() == Err(JobError::TimedOut), gone.recv()?))?;
    report.send(format!("the next has a worker: {:?}", pool.submit(fine, 1)?.join()))?;

    let worker = pool.submit(|_: ()| Isolate::current(), ())?.join()?;
    worker.kill(Priority::Immediate);
    report.send(format!("an idle one was killed: {:?}", pool.submit(fine, 1)?.join()))?;

    let job = pool.submit(loops, begun.send_port())?;
    begins()?;
    job.cancel();
    report.send(format!("cancelled: {}", gone.recv()?))?;
    report.send(format!("the next has a worker: {:?}", pool.submit(fine, 2)?.join()))?;

    let job = pool.submit(loops, begun.send_port())?;
    begins()?;
    let late = job.join_timeout(Duration::from_millis(5));
    report.send(format!("given up: {}, {}", late == Err(JobError::TimedOut), gone.recv()?))?;

    let job = pool.submit(loops, begun.send_port())?;
    begins()?;
    let late = run_future(task::timeout(Duration::from_millis(5), job));
    report.send(format!("awaited no longer: {}, {}", late.is_err(), gone.recv()?))?;
    report.send(format!("the next has a worker: {:?}", pool.submit(fine, 3)?.join()))?;
    report.send(format!("{:?}", pool.stats()?))?;

    let owner = Isolate::spawn(owns, begun.send_port())?;
    begins()?;
    owner.kill(Priority::Immediate);
    report.send(format!("killed with the pool's owner: {}", gone.recv()?))?;

    let under_way = pool.submit(loops, begun.send_port())?;
    let queued = pool.submit(fine, 4)?;
    let awaited = pool.submit(fine, 5)?;
    begins()?;
    let handle = pool.handle();
    drop(pool);
    report.send(format!("the pool is dropped: {}", gone.recv()?))?;
    report.send(format!("under way: {:?}, queued: {:?}", under_way.join(), queued.join()))?;
    report.send(format!("awaited: {:?}", run_future(awaited)))?;
    report.send(format!("too late: {:?}, {:?}", handle.submit(fine, 6).map(drop), handle.stats()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
