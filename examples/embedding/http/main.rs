//! An HTTP service whose pages are plugins: an isolate for each request, with a bound on its time.
//!
//! ```sh
//! cargo run --release --example http                   # says where it listens
//! curl --data 'one two one' http://127.0.0.1:PORT/words
//! curl -i http://127.0.0.1:PORT/loops                  # 504, and why
//! cargo run --release --example http -- --load 2000    # asks itself, alone and beside a plugin that loops
//! ```

mod ask;
mod load;
mod plugins;
mod serve;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use tokio::net::TcpListener;

use plugins::{Pages, Times};

/// Serves pages that are made by plugins.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    plugins: insula_embedding::Plugins,
    /// Where to listen, on this machine; any free port if it is 0
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Milliseconds until a request is answered, with 504 if by nothing else
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    deadline: u64,
    /// Milliseconds of a CPU that a plugin has for a request
    #[arg(long, value_name = "MS", default_value_t = 100)]
    cpu_time: u64,
    /// Ask this program itself for so many pages, say how long that took, and end
    #[arg(long, value_name = "REQUESTS")]
    load: Option<usize>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let times =
        Times { deadline: Duration::from_millis(arguments.deadline), cpu: Duration::from_millis(arguments.cpu_time) };
    let pages = Arc::new(Pages::load(&arguments.plugins.folder()?, times)?);
    // One thread takes requests and hands them on; the guests have threads of their own.
    let requests = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = requests.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)))?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    match arguments.load {
        None => requests.block_on(serve::requests(listener, pages)),
        Some(count) => {
            std::thread::spawn(move || requests.block_on(serve::requests(listener, pages)));
            load::compare(address, count)
        }
    }
}
