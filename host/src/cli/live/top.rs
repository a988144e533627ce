//! `insula top`: the isolates of a run, live, and what can be done to them. What is shown is a function of [`View`]; keys
//! change it, and the terminal is only where both meet.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders, Paragraph, Row as TableRow, Table, TableState};

use super::super::code::Outcome;
use super::super::report::Backtrace;
use super::asker::Asker;
use super::protocol::{Answer, Ask, Row, Run};
use super::{list, stack};

/// Shows the isolates of a run, live.
#[derive(Args, Debug)]
#[command(
    after_help = "Keys:\n  q                quit\n  up, down         choose an isolate\n  s, S             sort by the next column, or by the one before\n  o                turn the order round\n  /                show only those whose name or state has this in it\n  Enter            show where in its code the isolate is; again for a new look, Esc to close\n  PgUp, PgDn       move in what is shown of it\n  p, r             pause the isolate, resume it\n  k, then y        kill it\n\nExamples:\n  insula top 4711\n  insula top --once --json 4711"
)]
pub(in crate::cli) struct Command {
    #[arg(value_name = "PID|SOCKET", help = super::RUN)]
    run: String,
    /// Prints one look and ends
    #[arg(long)]
    once: bool,
    /// With --once: as JSON
    #[arg(long, requires = "once")]
    json: bool,
    /// Milliseconds between two looks
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    every: u64,
}

impl Command {
    pub(in crate::cli) fn run(self) -> Result<Outcome> {
        let mut asker = Asker::reach(&self.run)?;
        if self.once {
            list::isolates(&asker.isolates()?, self.json)?;
            return Ok(Outcome::Done);
        }
        if !std::io::stdout().is_terminal() {
            bail!("`insula top` needs a terminal; `insula top --once` and `insula ps` do not");
        }
        let mut view = View::new(asker.run()?);
        let mut terminal = ratatui::try_init()?;
        let shown = live(&mut asker, &mut view, Duration::from_millis(self.every), &mut terminal);
        ratatui::try_restore()?;
        shown?;
        Ok(Outcome::Done)
    }
}

/// Looks, shows and obeys until the user has enough or the run is over.
fn live(asker: &mut Asker, view: &mut View, every: Duration, terminal: &mut ratatui::DefaultTerminal) -> Result<()> {
    loop {
        view.look(asker.isolates()?);
        let next = Instant::now() + every;
        loop {
            terminal.draw(|frame| view.draw(frame))?;
            if !event::poll(next.saturating_duration_since(Instant::now()))? {
                break;
            }
            let Event::Key(key) = event::read()? else { continue };
            if key.kind != KeyEventKind::Press {
                continue;
            }
            if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
                return Ok(());
            }
            match view.key(key.code) {
                Wish::Nothing => {}
                Wish::Quit => return Ok(()),
                Wish::Ask(ask) => view.answered(asker.ask(&ask)),
            }
        }
    }
}

/// What a key asks for beyond the view.
#[derive(Debug, PartialEq)]
enum Wish {
    Nothing,
    Quit,
    Ask(Ask),
}

/// Where keys go.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Table,
    /// Into the filter.
    Filter,
    /// Whether this isolate is to be killed.
    Kill(u64),
}

/// What is shown.
struct View {
    run: Run,
    rows: Vec<Row>,
    /// The column that is sorted by, and whether the largest is first.
    column: usize,
    descending: bool,
    filter: String,
    mode: Mode,
    /// The isolate that is chosen, by its number: rows come and go.
    chosen: Option<u64>,
    said: String,
    /// Where in its code an isolate is, if that was asked: a title and lines.
    stack: Option<Pane>,
}

/// Lines below the table.
struct Pane {
    title: String,
    lines: Vec<String>,
    /// The first one that is shown.
    first: usize,
}

/// Lines by which a pane is moved.
const PAGE: usize = 8;

impl View {
    fn new(run: Run) -> View {
        let (rows, filter, said) = (Vec::new(), String::new(), String::new());
        View { run, rows, column: 0, descending: false, filter, mode: Mode::Table, chosen: None, said, stack: None }
    }

    /// Takes a new look.
    fn look(&mut self, rows: Vec<Row>) {
        self.rows = rows;
    }

    /// Takes an answer.
    fn answered(&mut self, answer: Result<Answer>) {
        self.said = match answer {
            Ok(Answer::Stack(stack)) => {
                let shown = stack::shown(&stack, Backtrace::Short);
                self.stack = Some(Pane { title: stack.title(), lines: stack.lines(&shown), first: 0 });
                String::new()
            }
            Ok(_) => "done".to_owned(),
            Err(error) => insula::printable_line(&format!("{error:#}")).into_owned(),
        };
    }

    /// The rows that are shown, in their order.
    fn shown(&self) -> Vec<&Row> {
        let has = |row: &&Row| row.name.contains(&self.filter) || row.state.contains(&self.filter);
        let mut shown: Vec<&Row> = self.rows.iter().filter(has).collect();
        shown.sort_by(|a, b| compared(a, b, self.column));
        if self.descending {
            shown.reverse();
        }
        shown
    }

    /// Where the isolate that is chosen stands, if it is shown.
    fn place(&self) -> Option<usize> {
        self.shown().iter().position(|row| Some(row.isolate) == self.chosen)
    }

    fn key(&mut self, key: KeyCode) -> Wish {
        match self.mode {
            Mode::Table => return self.table_key(key),
            Mode::Kill(isolate) => {
                self.mode = Mode::Table;
                if key == KeyCode::Char('y') {
                    return Wish::Ask(Ask::Kill { isolate });
                }
            }
            Mode::Filter => match key {
                KeyCode::Char(character) => self.filter.push(character),
                KeyCode::Backspace => drop(self.filter.pop()),
                KeyCode::Esc => {
                    self.filter.clear();
                    self.mode = Mode::Table;
                }
                KeyCode::Enter => self.mode = Mode::Table,
                _ => {}
            },
        }
        Wish::Nothing
    }

    fn table_key(&mut self, key: KeyCode) -> Wish {
        let columns = list::HEADS.len();
        match (key, self.chosen) {
            (KeyCode::Esc, _) if self.stack.is_some() => self.stack = None,
            (KeyCode::Char('q') | KeyCode::Esc, _) => return Wish::Quit,
            (KeyCode::Enter, Some(isolate)) => return Wish::Ask(Ask::Stack { isolate }),
            (KeyCode::PageUp, _) => self.scroll(-1),
            (KeyCode::PageDown, _) => self.scroll(1),
            (KeyCode::Up, _) => self.choose(-1),
            (KeyCode::Down, _) => self.choose(1),
            (KeyCode::Char('s'), _) => self.column = (self.column + 1) % columns,
            (KeyCode::Char('S'), _) => self.column = (self.column + columns - 1) % columns,
            (KeyCode::Char('o'), _) => self.descending = !self.descending,
            (KeyCode::Char('/'), _) => self.mode = Mode::Filter,
            (KeyCode::Char('p'), Some(isolate)) => return Wish::Ask(Ask::Pause { isolate }),
            (KeyCode::Char('r'), Some(isolate)) => return Wish::Ask(Ask::Resume { isolate }),
            (KeyCode::Char('k'), Some(isolate)) => self.mode = Mode::Kill(isolate),
            _ => {}
        }
        Wish::Nothing
    }

    fn choose(&mut self, step: isize) {
        let shown = self.shown();
        let place = match self.place() {
            Some(place) => place.saturating_add_signed(step).min(shown.len().saturating_sub(1)),
            None => 0,
        };
        self.chosen = shown.get(place).map(|row| row.isolate);
    }

    fn scroll(&mut self, pages: isize) {
        if let Some(pane) = &mut self.stack {
            let last = pane.lines.len().saturating_sub(1);
            pane.first = pane.first.saturating_add_signed(pages * PAGE.cast_signed()).min(last);
        }
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let below = if self.stack.is_some() { Constraint::Percentage(50) } else { Constraint::Length(0) };
        let parts = [Constraint::Length(1), Constraint::Min(2), below, Constraint::Length(1)];
        let [head, table, below, foot] = Layout::vertical(parts).areas(frame.area());
        if let Some(Pane { title, lines, first }) = &self.stack {
            let lines = lines.iter().skip(*first).map(|line| Line::from(line.as_str()));
            let block = Block::new().borders(Borders::TOP).title(title.as_str());
            frame.render_widget(Paragraph::new(Text::from_iter(lines)).block(block), below);
        }
        frame.render_widget(Line::from(self.head()).style(Modifier::BOLD), head);
        let rows = self.shown().into_iter().map(|row| TableRow::new(list::cells(row)));
        let heads = list::HEADS.iter().enumerate().map(|(at, name)| match (at == self.column, self.descending) {
            (true, true) => format!("{name} v"),
            (true, false) => format!("{name} ^"),
            (false, _) => (*name).to_owned(),
        });
        let widths = [8, 24, 8, 9, 26, 11, 11, 8, 11, 10, 10].map(Constraint::Length);
        let drawn = Table::new(rows, widths)
            .header(TableRow::new(heads).style(Modifier::UNDERLINED))
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        let mut state = TableState::new().with_selected(self.place());
        frame.render_stateful_widget(drawn, table, &mut state);
        frame.render_widget(Line::from(self.foot()), foot);
    }

    fn head(&self) -> String {
        let Run { pid, program, .. } = &self.run;
        let (program, all) = (insula::printable_line(program), self.rows.len());
        format!("insula {pid} {program}: {all} isolates, {} shown", self.shown().len())
    }

    fn foot(&self) -> String {
        match self.mode {
            Mode::Filter => format!("filter: {}_", self.filter),
            Mode::Kill(isolate) => format!("kill isolate #{isolate}? y/n"),
            Mode::Table if self.said.is_empty() => {
                "q quit  s sort  o order  / filter  Enter stack  p pause  r resume  k kill".to_owned()
            }
            Mode::Table => self.said.clone(),
        }
    }
}

/// The order of two isolates by a column, and by their number where that is the same.
fn compared(a: &Row, b: &Row, column: usize) -> std::cmp::Ordering {
    let by = match column {
        1 => a.name.cmp(&b.name),
        2 => a.parent.cmp(&b.parent),
        3 => a.restarts.cmp(&b.restarts),
        4 => a.state.cmp(&b.state),
        5 => a.cpu_seconds.total_cmp(&b.cpu_seconds),
        6 => a.memory_bytes.cmp(&b.memory_bytes),
        7 => a.queued_messages.cmp(&b.queued_messages),
        8 => a.queued_bytes.cmp(&b.queued_bytes),
        9 => a.received_messages.cmp(&b.received_messages),
        10 => a.sent_messages.cmp(&b.sent_messages),
        _ => std::cmp::Ordering::Equal,
    };
    by.then(a.isolate.cmp(&b.isolate))
}

#[cfg(test)]
#[path = "top/tests.rs"]
mod tests;
