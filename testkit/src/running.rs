use std::pin::Pin;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

/// A future that completes when it is time to stop.
pub type Stopped = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task that runs on its own thread until it is stopped.
pub struct Running<T> {
    stop: oneshot::Sender<()>,
    pub thread: JoinHandle<T>,
}

impl<T: Send + 'static> Running<T> {
    /// Runs the task in a runtime of its own.
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

    /// Stops the task and returns its result.
    pub fn stop(self) -> T {
        let _ = self.stop.send(());
        self.thread.join().expect("no panic")
    }
}
