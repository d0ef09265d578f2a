//! Whether the machine is a real one; the order of systemd-detect-virt(1): the container first,
//! since it is what the service is in, then what the firmware and the processor say.

use std::os::unix::fs::MetadataExt;

use super::super::conf;
use super::{Eyes, Sight, paths};
use crate::config::spec::CONTAINERS;
use crate::os::{fds, proc};

/// The longest environment of PID 1 that is looked at.
const ENVIRONMENT_MAX: usize = 64 * 1024;

/// What the firmware calls itself, and what it is then.
const FIRMWARE: [(&str, &str); 16] = [
    ("KVM", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Oracle Corporation", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "microsoft"),
    ("Apple Virtualization", "apple"),
    ("Google Compute Engine", "google"),
    ("ACRN", "acrn"),
];

/// Where it does.
const FIRMWARE_FILES: [&str; 5] =
    ["product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"];

/// Firmware that knows better than the processor, which says what that is built on.
const BUILT_ON: [&str; 5] = ["oracle", "xen", "amazon", "parallels", "google"];

/// What the processor calls its hypervisor.
const PROCESSOR: [(&str, &str); 10] = [
    ("XenVMMXenVMM", "xen"),
    ("KVMKVMKVM", "kvm"),
    ("Linux KVM Hv", "kvm"),
    ("TCGTCGTCGTCG", "qemu"),
    ("VMwareVMware", "vmware"),
    ("Microsoft Hv", "microsoft"),
    ("bhyve bhyve ", "bhyve"),
    ("ACRNACRNACRN", "acrn"),
    ("Apple VZ", "apple"),
    ("prl hyperv", "parallels"),
];

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Real,
    Machine(&'static str),
    Container(&'static str),
}

impl Eyes {
    pub(super) fn virtualization(&self, wanted: &str) -> Sight {
        let kind = self.kind();
        let holds = match (wanted, kind) {
            ("yes", kind) => kind != Kind::Real,
            ("no", kind) => kind == Kind::Real,
            ("vm", kind) => matches!(kind, Kind::Machine(_)),
            ("container", kind) => matches!(kind, Kind::Container(_)),
            (_, Kind::Real) => false,
            (wanted, Kind::Machine(name) | Kind::Container(name)) => wanted == name,
        };
        let fact = match kind {
            Kind::Real => "this is a real machine".to_owned(),
            Kind::Machine(name) => format!("this is a virtual machine, {name}"),
            Kind::Container(name) => format!("this is a container, {name}"),
        };
        Ok((holds, fact))
    }

    fn kind(&self) -> Kind {
        let container = self.container().map(Kind::Container);
        container.or_else(|| self.machine().map(Kind::Machine)).unwrap_or(Kind::Real)
    }

    fn container(&self) -> Option<&'static str> {
        let there = |path: &str| paths::is_there(&self.path(path));
        if there("/proc/vz") && !there("/proc/bc") {
            return Some("openvz");
        }
        let kernel = conf::read(&self.path("/proc/sys/kernel/osrelease")).unwrap_or_default();
        if kernel.contains("Microsoft") || kernel.contains("WSL") {
            return Some("wsl");
        }
        let mark = match () {
            () if there("/run/.containerenv") => Some("podman"),
            () if there("/.dockerenv") => Some("docker"),
            () => None,
        };
        let told = self.manager().map(|name| {
            let known = CONTAINERS.iter().find(|known| **known == name.as_str());
            known.copied().or(mark).unwrap_or("container-other")
        });
        let first = proc::FIRST_PID_NAMESPACE;
        let inside = std::fs::metadata(self.path("/proc/self/ns/pid"))
            .is_ok_and(|found| found.ino() != first);
        told.or(mark).or_else(|| inside.then_some("container-other"))
    }

    /// What whoever made the container says that it is.
    fn manager(&self) -> Option<String> {
        let file = |path: &str| conf::read(&self.path(path)).map(|text| text.trim().to_owned());
        let environment = || {
            let bytes = fds::read_head(&self.path("/proc/1/environ"), ENVIRONMENT_MAX).ok()?;
            let value = bytes.split(|byte| *byte == 0).find_map(|v| v.strip_prefix(b"container="));
            value.map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let told = file("/run/host/container-manager").or_else(|| file("/run/systemd/container"));
        told.or_else(environment).filter(|name| !name.is_empty())
    }

    fn machine(&self) -> Option<&'static str> {
        let firmware = self.firmware();
        if let Some(name) = firmware.filter(|name| BUILT_ON.contains(name)) {
            return Some(name);
        }
        let processor = self.hypervisor.as_deref();
        let known = processor.and_then(|said| {
            PROCESSOR.iter().find(|(known, _)| said.starts_with(known)).map(|(_, name)| *name)
        });
        known
            .or(firmware)
            .or_else(|| self.other_platform())
            .or_else(|| processor.map(|_| "vm-other"))
    }

    fn firmware(&self) -> Option<&'static str> {
        FIRMWARE_FILES.iter().find_map(|file| {
            let text = conf::read(&self.path(&format!("/sys/class/dmi/id/{file}")))?;
            FIRMWARE.iter().find(|(known, _)| text.starts_with(known)).map(|(_, name)| *name)
        })
    }

    /// Where there is no firmware of that kind.
    fn other_platform(&self) -> Option<&'static str> {
        let text = |path: &str| conf::read(&self.path(path)).unwrap_or_default();
        let tree = text("/proc/device-tree/hypervisor/compatible");
        match () {
            () if tree.contains("linux,kvm") => Some("kvm"),
            () if tree.contains("xen") => Some("xen"),
            () if tree.contains("vmware") => Some("vmware"),
            // The first guest of Xen runs on the machine itself.
            () if text("/sys/hypervisor/type").trim() == "xen"
                && !text("/proc/xen/capabilities").contains("control_d") =>
            {
                Some("xen")
            }
            () => None,
        }
    }
}
