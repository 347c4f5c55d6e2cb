//! The program: parse, run, print the failure, exit.

fn main() {}
