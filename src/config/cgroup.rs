//! What the kernel lets a container have, by control groups of version 1 or 2.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Nobody sets a limit that large: where version 1 has none, its file has the largest number of pages.
const NO_LIMIT: u64 = 1 << 60;

/// The groups that a process is in, from its own up to those that hold it: the limits of all of them hold.
/// Empty (the default): none is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cgroup {
    /// Files with a limit of memory.
    memory: Vec<PathBuf>,
}

impl Cgroup {
    /// Those of this process.
    pub fn own() -> Self {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        Self::of(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))
    }

    /// `groups`, `mounts`: as `/proc/self/cgroup` and `/proc/self/mountinfo` have them.
    fn of(groups: &str, mounts: &str) -> Self {
        let mounts = mounts.lines().filter_map(Mount::read);
        let memory = mounts.flat_map(|mount| mount.limits_of(groups)).collect();
        Self { memory }
    }

    /// Most bytes of memory, read anew, for a container may be resized while it runs; `None`: as many as
    /// there are.
    pub fn memory_limit(&self) -> Option<u64> {
        let texts = self.memory.iter().flat_map(fs::read_to_string);
        // version 2 says `max` where there is none
        let limits = texts.filter_map(|text| text.trim().parse().ok());
        limits.filter(|limit| *limit < NO_LIMIT).min()
    }
}

/// Where a hierarchy that limits memory is seen, as far as it is.
struct Mount {
    point: PathBuf,
    /// The group that is seen at `point`: in a container often its own.
    root: PathBuf,
    is_version_2: bool,
}

impl Mount {
    /// `36 35 0:31 ROOT POINT OPTIONS ... - TYPE SOURCE OPTIONS`
    fn read(line: &str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, point) = (place.next()?, place.next()?);
        let mut kind = kind.split(' ');
        let (name, options) = (kind.next()?, kind.nth(1)?);
        let is_version_2 = name == "cgroup2";
        let is_memory = name == "cgroup" && options.split(',').any(|option| option == "memory");
        (is_version_2 || is_memory).then(|| Self {
            point: PathBuf::from(unescaped(point)),
            root: PathBuf::from(unescaped(root)),
            is_version_2,
        })
    }

    /// The files of the group that `groups` names, and of those around it.
    fn limits_of(&self, groups: &str) -> Vec<PathBuf> {
        // `4:memory:/kubepods/a`, of version 2 `0::/kubepods/a`
        let named = groups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, group) = rest.split_once(':')?;
            let is_it = if self.is_version_2 {
                controllers.is_empty()
            } else {
                controllers.split(',').any(|name| name == "memory")
            };
            is_it.then_some(Path::new(group))
        });
        let Some(inside) = named.and_then(|group| group.strip_prefix(&self.root).ok()) else {
            return Vec::new();
        };
        let file = if self.is_version_2 {
            "memory.max"
        } else {
            "memory.limit_in_bytes"
        };
        let groups = inside.ancestors();
        groups
            .map(|group| self.point.join(group).join(file))
            .collect()
    }
}

/// The kernel writes what would end a field as `\040`.
fn unescaped(field: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n")];
    let whole = escapes
        .iter()
        .fold(field.to_owned(), |text, (from, to)| text.replace(from, to));
    whole.replace("\\134", "\\")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A group whose limit of memory is what `file` says.
    pub(crate) fn limited_by(file: PathBuf) -> Cgroup {
        Cgroup { memory: vec![file] }
    }

    /// Groups below a folder, and the limit that one of them has.
    fn limit(groups: &str, mount: &str, files: &[(&str, &str)]) -> Option<u64> {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = dir.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let mount = mount.replace("DIR", dir.path().to_str().unwrap());
        let others = "22 1 8:1 / / rw - ext4 /dev/root rw\n23 22 0:21 / /proc rw - proc proc rw\n";
        Cgroup::of(groups, &format!("{others}{mount}\n")).memory_limit()
    }

    const VERSION_2: &str =
        "31 23 0:26 / DIR rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot";
    const VERSION_1: &str = "35 31 0:32 / DIR rw,relatime - cgroup cgroup rw,memory";
    const ENDLESS: &str = "9223372036854771712\n";

    #[test]
    fn a_container_of_version_2_sees_its_own_group_at_the_top() {
        let of = |text| limit("0::/\n", VERSION_2, &[("memory.max", text)]);
        assert_eq!(of("134217728\n"), Some(128 << 20));
        assert_eq!(of("max\n"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn the_least_limit_of_a_group_and_those_around_it_holds() {
        let groups = "0::/system.slice/sidelight.service\n";
        let of = |own, slice| {
            let files = [
                ("system.slice/sidelight.service/memory.max", own),
                ("system.slice/memory.max", slice),
                ("other.slice/memory.max", "1\n"),
            ];
            limit(groups, VERSION_2, &files)
        };
        assert_eq!(of("300\n", "max\n"), Some(300));
        assert_eq!(of("300\n", "200\n"), Some(200));
        assert_eq!(of("max\n", "200\n"), Some(200));
        assert_eq!(of("max\n", "max\n"), None);
    }

    #[test]
    fn version_1_is_read_by_its_own_names_and_has_a_number_where_it_has_no_limit() {
        let groups = "5:cpu,cpuacct:/docker/7f\n4:memory,hugetlb:/docker/7f\n0::/docker/7f\n";
        let of = |own, above| {
            let files = [
                ("docker/7f/memory.limit_in_bytes", own),
                ("docker/memory.limit_in_bytes", above),
                ("memory.limit_in_bytes", ENDLESS),
            ];
            limit(groups, VERSION_1, &files)
        };
        assert_eq!(of("100663296\n", ENDLESS), Some(96 << 20));
        assert_eq!(of(ENDLESS, "200\n"), Some(200));
        assert_eq!(of(ENDLESS, ENDLESS), None);
        // of other hierarchies nothing is read
        let cpu = VERSION_1.replace("rw,memory", "rw,cpu");
        let files = [("docker/7f/memory.limit_in_bytes", "200\n")];
        assert_eq!(limit(groups, &cpu, &files), None);
    }

    #[test]
    fn what_is_mounted_is_often_the_group_itself() {
        let mount = "9 8 0:32 /kubepods/pod\\0401/c DIR ro - cgroup cgroup rw,memory";
        let files = [
            ("memory.limit_in_bytes", "300\n"),
            ("kubepods/pod 1/c/memory.limit_in_bytes", "1\n"),
        ];
        let groups = "4:memory:/kubepods/pod 1/c\n";
        assert_eq!(limit(groups, mount, &files), Some(300));
        // and that of others says nothing of this process
        assert_eq!(limit("4:memory:/elsewhere\n", mount, &files), None);
    }

    #[test]
    fn nonsense_is_no_limit() {
        for (groups, mount) in [
            ("", VERSION_2),
            ("0::/\n", ""),
            ("0::\n:::\n4\n", "a - b\n - cgroup2\n1 2 3 / / - cgroup2"),
        ] {
            assert_eq!(limit(groups, mount, &[("memory.max", "1\n")]), None);
        }
        assert_eq!(Cgroup::default().memory_limit(), None);
        // whatever it is in
        let _ = Cgroup::own().memory_limit();
    }

    #[test]
    fn a_limit_is_read_anew() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("memory.max");
        let group = limited_by(file.clone());
        assert_eq!(group.memory_limit(), None);
        for limit in [100, 200] {
            fs::write(&file, format!("{limit}\n")).unwrap();
            assert_eq!(group.memory_limit(), Some(limit));
        }
    }
}
