use std::pin::Pin;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

/// What is ready when it is time to stop.
pub type Stopped = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What runs until it is stopped, on a thread of its own.
pub struct Running<T> {
    stop: oneshot::Sender<()>,
    pub thread: JoinHandle<T>,
}

impl<T: Send + 'static> Running<T> {
    /// Runs it in a runtime of its own.
    pub fn start<F: Future<Output = T>>(run: impl FnOnce(Stopped) -> F + Send + 'static) -> Self {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(run(Box::pin(async {
                let _ = stopped.await;
            })))
        });
        Self { stop, thread }
    }

    /// Stops it, and gives how it ended.
    pub fn stop(self) -> T {
        let _ = self.stop.send(());
        self.thread.join().expect("no panic")
    }
}
