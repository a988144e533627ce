//! Serves calls, and fails at each of them in each way that there is.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, Reply, Request, SendPort, ServiceEnd, sleep};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Question {
    /// Its number among the questions, added to this.
    Count(u64),
    Fail(String),
    Panic(String),
    Drop,
    Keep,
    Loop,
    AnswerAndLoop,
    Return,
    /// Bytes that are more than a message may have.
    Large(usize),
    /// So many answers, and an end or none.
    Many(u64, bool),
    /// So many answers, and a panic.
    ManyAndPanic(u64),
    /// Answers until nobody takes them, and then the next `Count` says how many those were.
    Endless,
    /// Another isolate is to answer, and panics.
    PassOn,
}

type End = ServiceEnd<Question, Vec<u64>>;

fn heir(reply: Reply<Vec<u64>>) {
    let _reply = reply;
    panic!("it will not be answered");
}

struct Plugin {
    count: u64,
    kept: Vec<Reply<Vec<u64>>>,
}

impl Plugin {
    fn handle(&mut self, question: Question, reply: Reply<Vec<u64>>) -> Result<bool, Box<dyn Error>> {
        match question {
            Question::Count(more) => {
                self.count += 1;
                reply.answer(vec![self.count + more])?;
            }
            Question::Fail(reason) => reply.fail(reason)?,
            Question::Panic(text) => panic!("{text}"),
            Question::Drop => drop(reply),
            Question::Keep => self.kept.push(reply),
            Question::Loop => spin(),
            Question::AnswerAndLoop => {
                reply.send(Vec::new())?;
                spin();
            }
            Question::Return => {
                std::mem::forget(reply); // or it is let go before the isolate ends
                return Ok(false);
            }
            Question::Large(numbers) => drop(reply.answer(vec![u64::MAX; numbers])),
            Question::Many(many, ends) => {
                (0..many).try_for_each(|number| reply.send(vec![number]))?;
                if ends {
                    reply.end();
                }
            }
            Question::ManyAndPanic(many) => {
                (0..many).try_for_each(|number| reply.send(vec![number]))?;
                panic!("in the middle");
            }
            Question::Endless => {
                while reply.send(vec![self.count]).is_ok() {
                    self.count += 1;
                }
            }
            Question::PassOn => drop(Isolate::spawn(heir, reply)?),
        }
        Ok(true)
    }
}

fn run(end: End) -> Result<(), Box<dyn Error>> {
    let mut plugin = Plugin { count: 0, kept: Vec::new() };
    for Request { question, reply } in end.open() {
        if !plugin.handle(question, reply)? {
            break;
        }
    }
    Ok(())
}

/// Is told in its message how to greet, and where to say that it is over.
fn greets(((greeting, over), end): ((String, SendPort<String>), ServiceEnd<String, String>)) {
    end.serve(|name| format!("{greeting}, {name}"));
    over.send("nobody asks any more".to_owned()).ok();
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

fn never_serves(_end: End) {
    spin();
}

fn refuses(end: End) {
    drop(end);
    // It lives on, and serves nobody.
    sleep(Duration::from_secs(3_600));
}

fn closes(end: End) {
    let requests = end.open();
    if let Ok(request) = requests.recv() {
        drop(requests);
        request.reply.answer(vec![0]).ok();
    }
    sleep(Duration::from_secs(3_600));
}

fn halved(number: u64) -> Result<u64, String> {
    if number.is_multiple_of(2) { Ok(number / 2) } else { Err(format!("{number} is odd")) }
}

insula_guest::export!(run as "run");
insula_guest::export!(greets as "greets");
insula_guest::export!(never_serves as "loops");
insula_guest::export!(refuses as "refuses");
insula_guest::export!(closes as "closes");
insula_guest::export_service!(halved as "halved");

fn main() {}
