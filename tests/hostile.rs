//! What a guest that means harm cannot do.

mod bombs;
mod floods;
mod forged;
