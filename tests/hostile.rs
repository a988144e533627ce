//! What a guest that means harm cannot do.

mod forged;
