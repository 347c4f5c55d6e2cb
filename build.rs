//! Builds again when a file that the binary carries comes, goes or changes.

fn main() {
    for folder in ["flavours", "components", "k8s"] {
        println!("cargo:rerun-if-changed={folder}");
    }
}
