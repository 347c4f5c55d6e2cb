#![doc = include_str!("../ARCHITECTURE.md")]

pub mod adapter;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod engine;
pub mod graph;
pub mod model;
pub mod ops;
pub mod plan;
pub mod provider;
pub mod toolchain;
pub mod ui;
pub mod yaml;
