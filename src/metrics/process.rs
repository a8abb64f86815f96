//! The process itself, read from the kernel at each scrape. Nothing on systems without procfs.

use procfs::{WithCurrentSystemInfo, process::Process};

use super::{Table, catalogue};

/// The name of the host, which in a container is that of the container or pod; empty: it is not known.
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.unwrap_or_default().trim().to_owned()
}

/// Adds `process_*`; a figure that cannot be read is left out.
pub fn collect(table: &mut Table) {
    let Ok(process) = Process::myself() else {
        return;
    };
    if let Ok(stat) = process.stat() {
        #[expect(
            clippy::cast_precision_loss,
            reason = "exact below 2^53 ticks and bytes"
        )]
        {
            let ticks = procfs::ticks_per_second() as f64;
            table.push(
                &catalogue::PROCESS_CPU,
                &[],
                (stat.utime + stat.stime) as f64 / ticks,
            );
            let resident = stat.rss_bytes().get() as f64;
            table.push(&catalogue::PROCESS_RESIDENT, &[], resident);
            table.push(&catalogue::PROCESS_VIRTUAL, &[], stat.vsize as f64);
            if let Ok(boot) = procfs::boot_time_secs() {
                let start = boot as f64 + stat.starttime as f64 / ticks;
                table.push(&catalogue::PROCESS_START, &[], start);
            }
        }
    }
    if let Ok(open) = process.fd_count() {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a process has fewer than 2^53 files"
        )]
        table.push(&catalogue::PROCESS_OPEN_FDS, &[], open as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_has_memory_files_and_a_start() {
        let mut table = Table::default();
        collect(&mut table);
        let text = table.render();
        let value = |name: &str| -> f64 {
            let line = text.lines().find(|l| l.starts_with(&format!("{name} ")));
            line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 100_000.0);
        assert!(value("process_open_fds") >= 3.0);
        let now = jiff::Timestamp::now().as_second();
        #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
        let age = now - value("process_start_time_seconds") as i64;
        assert!((-2..86_400).contains(&age), "{age}");
    }
}
