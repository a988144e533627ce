//! Keys, and what they make of the screen.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;

fn row(isolate: u64, name: &str, memory_bytes: u64) -> Row {
    Row {
        isolate,
        name: name.to_owned(),
        parent: isolate.saturating_sub(1),
        state: if isolate == 1 { "waiting: ports.receive" } else { "running" }.to_owned(),
        cpu_seconds: isolate as f64 / 8.0,
        memory_bytes,
        queued_messages: 0,
        queued_bytes: 0,
        received_messages: isolate,
        sent_messages: 0,
        children: 0,
    }
}

fn view() -> View {
    let run = Run { pid: 4711, program: "app.wasm".to_owned(), isolates: 3, seconds: 1.0 };
    let mut view = View::new(run);
    view.look(vec![row(1, "main", 3 << 20), row(2, "worker", 1 << 20), row(3, "bad\u{1b}[2J", 2 << 20)]);
    view
}

fn screen(view: &View) -> String {
    let mut terminal = Terminal::new(TestBackend::new(130, 7)).expect("a screen in memory");
    terminal.draw(|frame| view.draw(frame)).expect("it can be drawn on");
    terminal.backend().to_string()
}

fn numbers(view: &View) -> Vec<u64> {
    view.shown().iter().map(|row| row.isolate).collect()
}

fn keys(view: &mut View, keys: &str) {
    for key in keys.chars() {
        view.key(KeyCode::Char(key));
    }
}

#[test]
fn all_isolates_are_shown_and_what_a_guest_named_itself_is_escaped() {
    let screen = screen(&view());
    for text in
        ["insula 4711 app.wasm: 3 isolates, 3 shown", "#1", "main", "waiting: ports.receive", "3.0 MiB", "k kill"]
    {
        assert!(screen.contains(text), "{text} in\n{screen}");
    }
    assert!(screen.contains("bad\\u{1b}[2J") && !screen.contains('\u{1b}'), "{screen}");
}

#[test]
fn keys_sort_and_filter() {
    let mut view = view();
    keys(&mut view, "sssss");
    assert_eq!(numbers(&view), [2, 3, 1], "by memory");
    keys(&mut view, "o");
    assert_eq!(numbers(&view), [1, 3, 2]);
    assert!(screen(&view).contains("memory v"));
    keys(&mut view, "S/wait");
    assert_eq!(numbers(&view), [1]);
    assert!(screen(&view).contains("filter: wait_"), "{}", screen(&view));
    assert_eq!(view.key(KeyCode::Esc), Wish::Nothing);
    assert_eq!(numbers(&view).len(), 3, "a filter that is left is empty");
    assert_eq!(view.key(KeyCode::Esc), Wish::Quit);
}

#[test]
fn what_is_done_is_done_to_the_isolate_that_is_chosen() {
    let mut view = view();
    for key in ['p', 'r', 'k'] {
        assert_eq!(view.key(KeyCode::Char(key)), Wish::Nothing, "none is chosen");
    }
    view.key(KeyCode::Down);
    view.key(KeyCode::Down);
    assert_eq!(view.key(KeyCode::Char('p')), Wish::Ask(Ask::Pause { isolate: 2 }));
    // It stays the one that is chosen, wherever it stands.
    keys(&mut view, "o");
    view.look(vec![row(2, "worker", 1), row(9, "late", 1)]);
    assert_eq!(view.key(KeyCode::Char('r')), Wish::Ask(Ask::Resume { isolate: 2 }));
    keys(&mut view, "k");
    assert!(screen(&view).contains("kill isolate #2? y/n"));
    assert_eq!(view.key(KeyCode::Char('n')), Wish::Nothing);
    keys(&mut view, "k");
    assert_eq!(view.key(KeyCode::Char('y')), Wish::Ask(Ask::Kill { isolate: 2 }));
    view.look(Vec::new());
    view.key(KeyCode::Up);
    assert_eq!(view.chosen, None);
}
