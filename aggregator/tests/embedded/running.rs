use std::thread::JoinHandle;

use quipu_aggregator::{Error, run};
use quipu_config::Config;
use tokio::sync::oneshot;

/// An aggregator on a thread of its own.
pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    pub(crate) thread: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(run(config, async {
                let _ = stopped.await;
            }))
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Result<(), Error> {
        let _ = self.stop.send(());
        self.thread.join().expect("no panic")
    }
}
