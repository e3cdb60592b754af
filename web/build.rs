//! Builds the crate anew when the dashboard's files change: `rust-embed` does not see new ones by itself.

fn main() {
    println!("cargo:rerun-if-changed=ui/dist");
}
