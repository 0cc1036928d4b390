//! The functions that a command imports, under WASI's own names and with WASI's own types.
use crate::{Guest, STATE};
use wasi::calls;

/// Answered in place of an error code when the process has ended: the slot then leaves the command.
const ENDED: u32 = u32::MAX;

macro_rules! export {
    ($($name:ident($($arg:ident: $ty:ty),* $(,)?) $(= $errno:ident)?;)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($($arg: $ty),*) -> u32 {
            STATE.with_borrow_mut(|state| {
                let process = state.process.as_mut();
                process.map_or(ENDED, |process| calls::$name(process, &mut Guest, $($arg),*).unwrap_or(ENDED))
            })
        }
    )*};
}

wasi::each_function!(export);

#[unsafe(no_mangle)]
extern "C" fn proc_exit(code: u32) -> u32 {
    STATE.with_borrow_mut(|state| {
        if let Some(process) = &mut state.process {
            calls::proc_exit(process, code);
        }
    });
    ENDED
}
