//! A canvas that is painted in patches.
use crate::model::picture::Patch;
use leptos::html::Canvas;
use leptos::prelude::*;
use wasm_bindgen::{Clamped, JsCast};
use web_sys::{CanvasRenderingContext2d, ImageData};

/// Paints a patch; whether it could be painted (the canvas may be gone).
pub fn paint(canvas: NodeRef<Canvas>, patch: &Patch) -> bool {
    let paint = || -> Option<()> {
        let context = canvas.try_get_untracked()??.get_context("2d").ok()??;
        let context: CanvasRenderingContext2d = context.dyn_into().ok()?;
        let image =
            ImageData::new_with_u8_clamped_array_and_sh(Clamped(&patch.rgba), patch.width, patch.height)
                .ok()?;
        context
            .put_image_data(&image, f64::from(patch.x), f64::from(patch.y))
            .ok()
    };
    paint().is_some()
}
