//! A question is answered, or its end is told: in time, when the port for the answer is dropped, or with the other side.

use std::error::Error;
use std::time::Duration;

use insula_guest::{AskError, Isolate, ReceivePort, SendError, SendPort};
use serde::{Deserialize, Serialize};

const LONG: Duration = Duration::from_secs(600);

#[derive(Serialize, Deserialize)]
enum Question {
    Square { of: u64, reply: SendPort<u64> },
    Forget { reply: SendPort<u64> },
    Keep { reply: SendPort<u64> },
    Misunderstand { reply: SendPort<u64> },
    Die { reply: SendPort<u64> },
}

fn answers(to_main: SendPort<SendPort<Question>>) -> Result<(), Box<dyn Error>> {
    let questions = ReceivePort::<Question>::new();
    to_main.send(questions.send_port())?;
    let mut kept = Vec::new();
    for question in questions {
        match question {
            Question::Square { of, reply } => reply.send(of * of)?,
            Question::Forget { reply } => drop(reply),
            Question::Keep { reply } => kept.push(reply),
            Question::Misunderstand { reply } => reply.untyped().typed::<[u8; 0]>().send([])?,
            Question::Die { reply } => {
                kept.push(reply);
                assert_eq!(kept[0].send(0), Err(SendError::Closed), "a late answer finds its port closed");
                return Ok(());
            }
        }
    }
    Ok(())
}

fn run((report, steps): (SendPort<String>, SendPort<SendPort<()>>)) -> Result<(), Box<dyn Error>> {
    let step = ReceivePort::<()>::new();
    let ports = ReceivePort::new();
    Isolate::spawn(answers, ports.send_port())?;
    let questions = ports.recv()?;
    steps.send(step.send_port())?;
    step.recv()?; // the embedder counts the handles
    let square = questions.ask(|reply| Question::Square { of: 12, reply }, LONG);
    report.send(format!("answered: {square:?}"))?;
    let forgotten = questions.ask(|reply| Question::Forget { reply }, LONG);
    report.send(format!("forgotten: {}", forgotten == Err(AskError::Unreachable)))?;
    let kept = questions.ask(|reply| Question::Keep { reply }, Duration::from_millis(5));
    report.send(format!("kept: {}", kept == Err(AskError::TimedOut)))?;
    let misunderstood = questions.ask(|reply| Question::Misunderstand { reply }, LONG);
    report.send(format!("misunderstood: {}", matches!(misunderstood, Err(AskError::Failed(_)))))?;
    let died = questions.ask(|reply| Question::Die { reply }, LONG);
    report.send(format!("died: {}", died == Err(AskError::Unreachable)))?;
    let dead = questions.ask(|reply| Question::Forget { reply }, LONG);
    report
        .send(format!("dead: {}", matches!(dead, Err(AskError::Unasked(SendError::Closed) | AskError::Unreachable))))?;
    let port = ReceivePort::new();
    let to_port = port.send_port();
    to_port.send(7)?;
    let first = port.first_timeout(LONG);
    report.send(format!("first: {first:?}, then: {:?}", to_port.send(8)))?;
    drop(to_port);
    step.recv()?; // and again
    report.send("nothing is left".to_owned())?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
