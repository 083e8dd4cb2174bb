// What the harnesses share: the amounts of bench/mls_group.c, the clock, and the form of the output.

pub const RUNS: usize = 9;
pub const MESSAGES: usize = 200;
pub const BATCH: usize = 100;
pub const PAYLOAD: usize = 1024;
pub const CREDENTIAL: usize = 190;
pub const SIZES: [usize; 4] = [2, 32, 256, 1000];

// CPU time of the process: mls-rs verifies with several threads.
pub fn cpu_us() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

pub fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = cpu_us();
    let result = work();
    (cpu_us() - start, result)
}

pub fn median(mut times: Vec<f64>) -> f64 {
    if times.is_empty() {
        return 0.0; // nobody is there to process the commit
    }
    times.sort_by(|a, b| a.total_cmp(b));
    times[times.len() / 2]
}

pub fn credential(index: usize) -> Vec<u8> {
    format!("{index:0CREDENTIAL$}").into_bytes()
}

// One line for a size: name and figure in turn, as bench/mls_group prints them.
pub fn report(size: usize, figures: &[(&str, f64)]) {
    let columns: Vec<String> = figures.iter().map(|(name, value)| format!("{name} {value:.1}")).collect();
    println!("{size:5}  {}", columns.join("  "));
}

// Sizes to measure: the arguments, or all.
pub fn sizes() -> Vec<usize> {
    let wanted: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    if wanted.is_empty() { SIZES.to_vec() } else { wanted }
}
