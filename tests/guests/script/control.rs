//! What an isolate asks of others, and of itself.

use insula_guest::{ControlError, Priority};

use crate::language::{Act, Op, Outcome, Pick, Record};
use crate::{Parcel, Player, picked};

fn priority(at_once: bool) -> Priority {
    if at_once { Priority::Immediate } else { Priority::BeforeNextEvent }
}

fn of_control(asked: Result<(), ControlError>) -> Outcome {
    match asked {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Refused(error.to_string()),
    }
}

impl Player {
    pub(super) fn control(&mut self, op: &Op) {
        match op {
            Op::KillSelf { at_once } => self.kill(0, *at_once),
            Op::Kill { whom, at_once } if self.handles.len() > 1 => {
                self.kill(1 + usize::from(*whom) % (self.handles.len() - 1), *at_once);
            }
            Op::KillTree { whom } if self.handles.len() > 1 => {
                let (whom, handle) = &self.handles[1 + usize::from(*whom) % (self.handles.len() - 1)];
                self.will(Act::KillTree { whom: *whom, allowed: handle.terminate_capability().is_some() });
                handle.kill_tree();
                self.did(Outcome::Done);
            }
            Op::Pause { whom, .. } | Op::Resume { whom, .. } | Op::ResumeBirth { whom } => self.pause(op, *whom),
            Op::ListenErrors { whom } | Op::ForgetErrors { whom } | Op::SetFatal { whom, .. } => {
                self.errors(op, *whom);
            }
            Op::Ping { whom, .. } | Op::ListenExit { whom } | Op::ForgetExit { whom } | Op::Watch { whom, .. } => {
                self.notices(op, *whom);
            }
            _ => {}
        }
    }

    fn kill(&self, at: usize, at_once: bool) {
        let (whom, handle) = &self.handles[at];
        self.will(Act::Kill { whom: *whom, at_once, allowed: handle.terminate_capability().is_some() });
        handle.kill(priority(at_once));
        self.did(Outcome::Done);
    }

    fn pause(&mut self, op: &Op, whom: Pick) {
        let Some((whom, handle)) = picked(&self.handles, whom) else { return };
        let (whom, by, allowed) = (*whom, self.me, handle.pause_capability().is_some());
        match op {
            Op::Pause { token, .. } => {
                self.will(Act::Pause { whom, token: *token, allowed });
                handle.pause_with(&self.tokens[usize::from(*token)]);
                if allowed {
                    self.tell(whom, &Record::Paused { by, token: *token });
                }
            }
            Op::Resume { token, .. } => {
                self.will(Act::Resume { whom, token: *token });
                self.tell(whom, &Record::Resuming { by, token: *token });
                handle.resume(&self.tokens[usize::from(*token)]);
            }
            _ => {
                self.will(Act::ResumeBirth { whom, allowed });
                handle.resume_birth();
            }
        }
        self.did(Outcome::Done);
    }

    fn errors(&mut self, op: &Op, whom: Pick) {
        let Some((whom, handle)) = picked(&self.handles, whom) else { return };
        let (whom, log) = (*whom, &self.errors[self.me as usize]);
        match op {
            Op::ListenErrors { .. } => {
                self.will(Act::ListenErrors { whom });
                return self.did(of_control(handle.add_error_listener(log)));
            }
            Op::ForgetErrors { .. } => {
                self.will(Act::ForgetErrors { whom });
                handle.remove_error_listener(log);
            }
            Op::SetFatal { fatal, .. } => {
                self.will(Act::SetFatal { whom, fatal: *fatal, allowed: handle.terminate_capability().is_some() });
                handle.set_errors_fatal(*fatal);
            }
            _ => return,
        }
        self.did(Outcome::Done);
    }

    fn notices(&mut self, op: &Op, whom: Pick) {
        let number = self.number();
        let Some((whom, handle)) = picked(&self.handles, whom) else { return };
        let (whom, log) = (*whom, &self.logs[self.me as usize]);
        let asked = match op {
            Op::Ping { at_once, .. } => {
                self.will(Act::Ping { whom, number, at_once: *at_once });
                let pong = Record::Pong { by: self.me, number }.encode();
                handle.ping(&self.logs[whom as usize], pong, priority(*at_once))
            }
            Op::ListenExit { .. } => {
                self.will(Act::ListenExit { whom, number });
                handle.add_exit_listener(log, Record::Gone { who: whom, number }.encode())
            }
            Op::Watch { port, .. } => {
                let at = self.own(*port);
                self.will(Act::Watch { whom, port: self.name_of(at), number });
                let gone = Parcel { from: whom, number, notice: true, port: None, handle: None };
                handle.add_exit_listener(&self.own[at].send_port(), gone)
            }
            _ => {
                self.will(Act::ForgetExit { whom });
                handle.remove_exit_listener(log);
                Ok(())
            }
        };
        self.did(of_control(asked));
    }
}
