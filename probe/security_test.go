package probe

import "testing"

func TestSecurity(t *testing.T) {
	tests := map[string]struct {
		machine machine
		want    string
	}{
		"a laptop": {machine{"/sys/class/tpm/tpm0/tpm_version_major": "2\n", secureBoot: "\x06\x00\x00\x00\x01",
			"/sys/class/iommu/dmar0/": "", "/sys/kernel/security/lsm": "lockdown,capability,landlock,apparmor"}, `
			hardware.security.tpm=2 hardware.security.secureboot hardware.security.iommu software.lsm.lockdown
			software.lsm.capability software.lsm.landlock software.lsm.apparmor`},
		"secure boot switched off": {machine{secureBoot: "\x06\x00\x00\x00\x00"}, ""},
		"a module of version 1":    {machine{"/sys/class/tpm/tpm0/device/caps": "TCG version: 1.2\n"}, "hardware.security.tpm=1"},
		"an ARM board with OP-TEE": {machine{"/sys/class/tee/tee0/": ""}, "hardware.security.tee"},
		"a server for confidential guests": {machine{"/sys/module/kvm_amd/parameters/sev": "Y\n",
			"/sys/module/kvm_intel/parameters/tdx": "N\n"}, "hardware.security.sev"},
		"a confidential guest":                   {machine{"/dev/tdx_guest": ""}, "hardware.security.confidential=tdx"},
		"enclaves the firmware has switched off": {machine{"/proc/cpuinfo": "processor : 0\nflags : sgx\n"}, ""},
		"enclaves":                               {machine{"/proc/cpuinfo": "processor : 0\nflags : sgx\n", "/dev/sgx_enclave": ""}, "hardware.security.sgx"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantTags(t, securitySubject(), tt.machine, tt.want) })
	}
}
