//! The real planner and engine on the fake world, with paused time.

mod deciding;
mod edited;
mod edits;
mod ending;
mod journal;
mod laws;
mod locking;
mod losses;
mod marking;
mod running;
mod saved;
