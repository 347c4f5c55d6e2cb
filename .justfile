# List recipes
default:
    @just --list

# Format everything
fmt:
    cargo fmt

# Check the format
fmt-check:
    cargo fmt --check

# Lint all targets, warnings denied
lint:
    cargo clippy --locked --all-targets -- -D warnings

# Run all tests
test:
    cargo nextest run
    cargo test --doc

# Accept or reject changed snapshots
review:
    cargo insta review

# Check advisories, bans, licences and sources of dependencies
deny:
    cargo deny check

# Build the documentation, warnings denied
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

# What CI runs; nobody pushes without it
check: fmt-check lint test docs deny

# Compare with helm by hand, side by side on one API server
bench:
    cargo build --release --locked
    benches/side-by-side target/release/datamill

# Kill applies and destroys at 50 random moments each; takes ten minutes
endurance:
    cargo test --test tests cluster::endurance -- --ignored --nocapture
