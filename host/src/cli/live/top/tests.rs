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
        restarts: 0,
    }
}

fn view() -> View {
    let run = Run { pid: 4711, program: "app.wasm".to_owned(), isolates: 3, seconds: 1.0 };
    let mut view = View::new(run);
    view.look(vec![row(1, "main", 3 << 20), row(2, "worker", 1 << 20), row(3, "bad\u{1b}[2J", 2 << 20)]);
    view
}

fn screen(view: &View) -> String {
    let mut terminal = Terminal::new(TestBackend::new(140, 7)).expect("a screen in memory");
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
fn the_stack_of_the_isolate_that_is_chosen_is_shown_below_until_it_is_closed() {
    let mut view = view();
    assert_eq!(view.key(KeyCode::Enter), Wish::Nothing, "none is chosen");
    view.key(KeyCode::Down);
    assert_eq!(view.key(KeyCode::Enter), Wish::Ask(Ask::Stack { isolate: 1 }));
    let frames = (0..9).map(|at| format!(r#"{{"function":"f{at}","index":{at},"offset":16,"places":[]}}"#));
    let stack = format!(
        r#"{{"answer":"stack","isolate":1,"name":"main","state":"running","module":"a.wasm","sha256":"0","frames":[{}]}}"#,
        frames.collect::<Vec<_>>().join(",")
    );
    view.answered(Ok(serde_json::from_str(&stack).expect("an answer")));
    let tall = |view: &View| {
        let mut terminal = Terminal::new(TestBackend::new(140, 14)).expect("a screen in memory");
        terminal.draw(|frame| view.draw(frame)).expect("it can be drawn on");
        terminal.backend().to_string()
    };
    let first = tall(&view);
    for text in ["isolate #1 `main`: running", "frames, innermost first:", "0: f0 @ 0x10", "#1", "k kill"] {
        assert!(first.contains(text), "{text} in\n{first}");
    }
    view.key(KeyCode::PageDown);
    assert!(tall(&view).contains("8: f8 @ 0x10") && !tall(&view).contains("f0"), "{}", tall(&view));
    view.key(KeyCode::PageUp);
    assert!(tall(&view).contains("f0"));
    view.answered(Err(anyhow::anyhow!("it has ended")));
    assert!(tall(&view).contains("it has ended") && tall(&view).contains("f0"));
    assert_eq!(view.key(KeyCode::Esc), Wish::Nothing);
    assert!(!tall(&view).contains("innermost"));
    assert_eq!(view.key(KeyCode::Esc), Wish::Quit);
}

#[test]
fn keys_sort_and_filter() {
    let mut view = view();
    keys(&mut view, "ssssss");
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
