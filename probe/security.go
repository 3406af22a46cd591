package probe

import (
	"fmt"
	"slices"
	"strings"
)

func securitySubject() Subject {
	return Subject{
		Name:    "security",
		Probe:   probeSecurity,
		Uevents: []string{"tpm", "tee"},
		Words: []Word{
			{Key: "hardware.security.tpm", Unit: "number", Meaning: "trusted platform module, and its major version",
				From: "/sys/class/tpm", Since: "0.1"},
			{Key: "hardware.security.secureboot", Meaning: "firmware started only what was signed",
				From: "/sys/firmware/efi/efivars", Since: "0.1"},
			{Key: "hardware.security.tee", Meaning: "trusted execution environment such as OP-TEE", From: "/sys/class/tee",
				Since: "0.1"},
			{Key: "hardware.security.sgx", Meaning: "Intel SGX enclaves can be made", From: "/proc/cpuinfo, /dev/sgx_enclave",
				Since: "0.1", NFD: "cpu-security.sgx.enabled"},
			{Key: "hardware.security.sev", Meaning: "can host AMD SEV guests", From: "/sys/module/kvm_amd/parameters/sev",
				Since: "0.1", NFD: "cpu-security.sev.enabled"},
			{Key: "hardware.security.tdx", Meaning: "can host Intel TDX guests", From: "/sys/module/kvm_intel/parameters/tdx",
				Since: "0.1", NFD: "cpu-security.tdx.enabled"},
			{Key: "hardware.security.confidential", Many: true, Unit: "text", Meaning: "is itself a confidential guest: sev, tdx, pv",
				From: "/dev/sev-guest, /dev/tdx_guest, /sys/firmware/uv", Since: "0.1", NFD: "cpu-security.tdx.protected"},
			{Key: "hardware.security.iommu", Meaning: "devices reach only the memory they were given",
				From: "/sys/class/iommu", Since: "0.1"},
			{Key: "software.lsm.NAME", Meaning: "a security module of the kernel", From: "/sys/kernel/security/lsm",
				Since: "0.1", Nomad: "kernel.landlock", NFD: "kernel-selinux.enabled"},
		},
	}
}

const secureBoot = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

func probeSecurity(p *Pass) error {
	tpm(p)
	boot, err := p.Read(secureBoot)
	p.Doubt("hardware.security.secureboot", err)
	if len(boot.Raw) == 5 && boot.Raw[4] == 1 { // four bytes of attributes, then the value
		p.Tag("hardware.security.secureboot", boot.With(fmt.Sprintf("% x", boot.Raw)))
	}
	for key, dir := range map[string]string{"hardware.security.tee": "/sys/class/tee",
		"hardware.security.iommu": "/sys/class/iommu"} {
		names, err := p.List(dir)
		p.Doubt(key, err)
		if len(names) > 0 {
			p.Tag(key, Evidence{Path: dir, Raw: strings.Join(names, " ")})
		}
	}
	info, err := readCPUInfo(p)
	p.Doubt("hardware.security.sgx", err)
	flags := strings.Fields(info.first().flags)
	if slices.Contains(flags, "sgx") && p.Exists("/dev/sgx_enclave") {
		p.Tag("hardware.security.sgx", Evidence{Path: "/dev/sgx_enclave"})
	}
	for key, file := range map[string]string{"hardware.security.sev": "/sys/module/kvm_amd/parameters/sev",
		"hardware.security.tdx": "/sys/module/kvm_intel/parameters/tdx"} {
		e, err := p.Read(file)
		p.Doubt(key, err)
		if text := e.Text(); text == "Y" || text == "1" {
			p.Tag(key, e)
		}
	}
	for kind, file := range map[string]string{"sev": "/dev/sev-guest", "tdx": "/dev/tdx_guest"} {
		if p.Exists(file) {
			p.Value("hardware.security.confidential", kind, Evidence{Path: file})
		}
	}
	if e, err := p.Read("/sys/firmware/uv/prot_virt_guest"); err == nil && e.Text() == "1" {
		p.Value("hardware.security.confidential", "pv", e)
	}
	modules, err := p.Read("/sys/kernel/security/lsm")
	p.Doubt("software.lsm", err)
	for name := range strings.SplitSeq(modules.Text(), ",") {
		if name != "" {
			p.Tag("software.lsm."+Slug(name), modules)
		}
	}
	return nil
}

func tpm(p *Pass) {
	names, err := p.List("/sys/class/tpm")
	p.Doubt("hardware.security.tpm", err)
	for _, name := range names {
		dir := "/sys/class/tpm/" + name
		if n, e, err := p.Number(dir + "/tpm_version_major"); err == nil && (n == 1 || n == 2) {
			p.Count("hardware.security.tpm", n, e)
		} else if caps, err := p.Read(dir + "/device/caps"); err == nil && strings.Contains(caps.Raw, "TCG version: 1.") {
			p.Count("hardware.security.tpm", 1, caps) // only a driver of version 1 has this file
		} else {
			p.Doubt("hardware.security.tpm", fmt.Errorf("%s does not tell its version", dir))
		}
	}
}
