//! The real planner and engine on the fake world, with paused time.

mod deciding;
mod laws;
mod running;
mod saved;
