//! What a file of settings becomes, and what is said of one that is wrong.

use super::*;

fn command() -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name);
    Command::new("run")
        .arg(flag("threads").value_parser(clap::value_parser!(u16).range(1..=8)))
        .arg(flag("fast").action(ArgAction::SetTrue))
        .arg(flag("config"))
        .arg(flag("report").value_hint(ValueHint::FilePath))
        .arg(flag("profile"))
        .arg(flag("dir").action(ArgAction::Append).value_hint(ValueHint::DirPath).value_name("HOST[::GUEST]"))
        .arg(flag("module").action(ArgAction::Append).value_name("NAME=TARGET"))
        .arg(flag("env").action(ArgAction::Append).value_name("NAME[=VALUE]"))
}

/// What a file of this text, which was named or found, adds to a command line; paths less the file's folder.
fn read(text: &str, is_named: bool) -> Result<Vec<String>, String> {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("insula-config-{}-{number}", std::process::id()));
    std::fs::create_dir_all(folder.join("data")).unwrap();
    let path = folder.join(NAME);
    std::fs::write(&path, text).unwrap();
    let flags = File { path, is_named }.flags("run", &command());
    std::fs::remove_dir_all(&folder).unwrap();
    let plain = |text: &str| text.replace(&folder.display().to_string(), "@");
    match flags {
        Ok(flags) => Ok(flags.iter().map(|flag| plain(flag.to_str().unwrap())).collect()),
        Err(error) => Err(plain(&error.to_string())),
    }
}

#[test]
fn a_setting_is_a_flag_in_the_order_of_the_file() {
    let text =
        "[run]\nthreads = 0x2\nfast = true\nenv = { A = \"b=c\", N = 1 }\ndir = ['data', 'data::/d']\nreport = 'out'\n";
    let flags = [
        "--threads=2",
        "--fast",
        "--env=A=b=c",
        "--env=N=1",
        "--dir=@/data::data",
        "--dir=@/data::/d",
        "--report=@/out",
    ];
    for is_named in [true, false] {
        assert_eq!(read(text, is_named).unwrap(), flags);
    }
    assert_eq!(
        read("[run]\nfast = false\n[run.module]\nx = 'data/x.wasm'", true).unwrap(),
        ["--module=x=@/data/x.wasm"]
    );
    assert_eq!(read("", true).unwrap(), [""; 0]);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, said) in [
        ("\n[rnu]", "line 2: there is no section `rnu`; did you mean `run`?"),
        ("run = 1", "line 1: [run] is a section"),
        ("[run]\n\nthread = 1", "line 3: there is no `thread` in [run]; did you mean `threads`?"),
        ("[run]\nconfig = 'x'", "line 2: `config` is for the command line only"),
        ("[run]\nthreads = 9", "line 2: invalid value '9' for '--threads <threads>': 9 is not in 1..=8"),
        ("[run]\nthreads = [1]", "line 2: `threads` has one value, not a list"),
        ("[run.threads]\na = 1", "line 1: `threads` is a value, not a section"),
        ("[run]\nthreads = 1.5", "line 2: `threads` is a text, a whole number, true or false, not a float"),
        ("[run]\nenv = ['A=1',\n [2]]", "line 2: `env` is a text, a whole number, true or false, not a array"),
    ] {
        assert_eq!(read(text, true).unwrap_err(), format!("`@/insula.toml`, {said}"), "{text}");
    }
    let error = read("[run]\nthreads = = 1", true).unwrap_err();
    assert!(error.starts_with("`@/insula.toml`, line 2: "), "{error}");
}

#[test]
fn a_file_that_was_found_gives_what_is_in_its_folder() {
    for path in ["/etc", "..", "data/../..", "./../x"] {
        let text = format!("[run]\ndir = ['{path}::/x']");
        let error = read(&text, false).unwrap_err();
        assert!(error.starts_with("`@/insula.toml`, line 2: ") && error.contains("outside of this folder"), "{error}");
        assert!(read(&text, true).is_ok(), "whoever names it answers for it");
        assert!(read(&format!("[run]\nreport = '{path}'"), false).is_err());
        assert!(read(&format!("[run.module]\nx = '{path}'"), false).is_err());
        assert!(read(&format!("[run]\nprofile = 'guest,{path},1ms'"), false).is_err());
    }
    let profile = |value: &str| read(&format!("[run]\nprofile = '{value}'"), false).unwrap();
    assert_eq!(profile("guest"), ["--profile=guest,@/insula-guest-profile.json"]);
    assert_eq!(profile("guest,,5ms"), ["--profile=guest,@/insula-guest-profile.json,5ms"]);
    assert_eq!(profile("guest,data/p.json"), ["--profile=guest,@/data/p.json"]);
    assert!(read("[run]\nenv = ['HOME']", false).is_err());
    assert_eq!(read("[run]\nenv = ['HOME']", true).unwrap(), ["--env=HOME"]);
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_out_of_the_folder() {
    let folder = std::env::temp_dir().join(format!("insula-config-link-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink("/etc", folder.join("out")).unwrap();
    let path = folder.join(NAME);
    std::fs::write(&path, "[run]\ndir = ['out::/x']").unwrap();
    let flags = File { path, is_named: false }.flags("run", &command());
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(flags.unwrap_err().to_string().contains("outside of this folder"));
}
