package probe

import "testing"

// pciFunction writes one PCI function as the kernel shows it.
func pciFunction(address, id, class, driver string, more machine) machine {
	m := machine{}
	dir := "/sys/devices/pci0000:00/" + address
	m[pciRoot+"/"+address] = "-> " + dir
	m[dir+"/uevent"] = "PCI_CLASS=" + class + "\nPCI_ID=" + id + "\nPCI_SLOT_NAME=" + address + "\n"
	m[dir+"/subsystem"] = "-> /sys/bus/pci"
	m["/sys/bus/pci/"] = ""
	if driver != "" {
		m["/sys/bus/pci/drivers/"+driver+"/"] = ""
		m[dir+"/driver"] = "-> /sys/bus/pci/drivers/" + driver
	}
	for name, content := range more {
		m[dir+"/"+name] = content
	}
	return m
}

// socDevice writes one platform device and what a class shows of it.
func socDevice(name, driver, class string) machine {
	dir := "/sys/devices/platform/" + name
	return machine{
		dir + "/uevent": "DRIVER=" + driver + "\n",
		"/sys/bus/platform/drivers/" + driver + "/": "",
		dir + "/driver":   "-> /sys/bus/platform/drivers/" + driver,
		class + "/device": "-> " + dir,
	}
}

func TestGPUsAreToldFromOtherDisplays(t *testing.T) {
	tests := map[string]struct {
		machine machine
		want    string
	}{
		"nothing at all": {machine{"/sys/": ""}, ``},
		"the display of a BMC": {pciFunction("0000:03:00.0", "1A03:2000", "30000", "ast", nil), `
			hardware.display.controllers=1`},
		"an old Radeon on a server board": {pciFunction("0000:03:00.0", "1002:515E", "30000", "radeon", nil), `
			hardware.display.controllers=1`},
		"a virtual machine's display": {pciFunction("0000:00:01.0", "1AF4:1050", "38000", "virtio-pci", nil), `
			hardware.display.controllers=1`},
		"an NVLink switch": {pciFunction("0000:c4:00.0", "10DE:1AF1", "68000", "nvidia", nil), ``},
		"a card and a processor's own, the card with two functions": {
			pciFunction("0000:00:02.0", "8086:3E92", "30000", "i915", nil).
				with(pciFunction("0000:01:00.0", "10DE:1EB8", "30200", "nvidia", nil)).
				with(pciFunction("0000:01:00.1", "10DE:10F8", "30000", "", nil)).
				with(machine{"/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  " +
					"570.86.15  Release Build\nGCC version: gcc version 12.2.0\n"}), `
			hardware.display.controllers=2
			hardware.gpu hardware.gpu.count=2
			hardware.gpu.vendor=intel hardware.gpu.driver=i915 hardware.gpu.integrated hardware.gpu.unified_memory
			hardware.gpu.vendor=nvidia hardware.gpu.driver=nvidia hardware.gpu.discrete
			hardware.gpu.0.vendor=intel hardware.gpu.0.driver=i915 hardware.gpu.0.address=0000-00-02.0
			hardware.gpu.0.integrated hardware.gpu.0.unified_memory
			hardware.gpu.1.vendor=nvidia hardware.gpu.1.driver=nvidia hardware.gpu.1.address=0000-01-00.0
			hardware.gpu.1.discrete
			software.driver.nvidia=570.86.15`},
		"a Raspberry Pi 4, whose vc4 only scans out": {
			socDevice("fe600000.gpu", "vc4-drm", "/sys/class/drm/card1").
				with(socDevice("fec00000.v3d", "v3d", "/sys/class/drm/card0")), `
			hardware.display.controllers=2
			hardware.gpu hardware.gpu.count=1
			hardware.gpu.vendor=broadcom hardware.gpu.driver=v3d hardware.gpu.integrated hardware.gpu.unified_memory
			hardware.gpu.0.vendor=broadcom hardware.gpu.0.driver=v3d hardware.gpu.0.address=fec00000.v3d
			hardware.gpu.0.integrated hardware.gpu.0.unified_memory`},
		"a Rockchip's NPU is a DRM card but no GPU": {
			socDevice("fdab0000.npu", "RKNPU", "/sys/class/drm/card1").
				with(socDevice("fb000000.gpu", "panthor", "/sys/class/drm/card0")).
				with(socDevice("display-subsystem", "rockchip-drm", "/sys/class/drm/card2")), `
			hardware.display.controllers=2
			hardware.gpu hardware.gpu.count=1
			hardware.gpu.vendor=arm hardware.gpu.driver=panthor hardware.gpu.integrated hardware.gpu.unified_memory
			hardware.gpu.0.vendor=arm hardware.gpu.0.driver=panthor hardware.gpu.0.address=fb000000.gpu
			hardware.gpu.0.integrated hardware.gpu.0.unified_memory`},
		"a Jetson by its devfreq device": {
			socDevice("17000000.gpu", "gk20a", "/sys/class/devfreq/17000000.gpu").
				with(machine{"/proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\x00nvidia,p3767-0005\x00" +
					"nvidia,tegra234\x00"}), `
			hardware.gpu hardware.gpu.count=1
			hardware.gpu.vendor=nvidia hardware.gpu.driver=gk20a hardware.gpu.integrated hardware.gpu.unified_memory
			hardware.gpu.0.vendor=nvidia hardware.gpu.0.driver=gk20a hardware.gpu.0.address=17000000.gpu
			hardware.gpu.0.integrated hardware.gpu.0.unified_memory`},
		"a Jetson early in its boot": {
			machine{"/proc/device-tree/compatible": "nvidia,p2771-0000\x00nvidia,tegra186\x00"}, `
			hardware.gpu hardware.gpu.count=1
			hardware.gpu.vendor=nvidia hardware.gpu.integrated hardware.gpu.unified_memory
			hardware.gpu.0.vendor=nvidia hardware.gpu.0.address=tegra186-gpu
			hardware.gpu.0.integrated hardware.gpu.0.unified_memory`},
		"a Thor shows its GPU on PCI": {
			pciFunction("0000:01:00.0", "10DE:2B00", "30000", "nvidia", nil).
				with(machine{"/proc/device-tree/compatible": "nvidia,p4071-0000+p3834-0008\x00nvidia,tegra264\x00"}), `
			hardware.display.controllers=1
			hardware.gpu hardware.gpu.count=1
			hardware.gpu.vendor=nvidia hardware.gpu.driver=nvidia hardware.gpu.integrated hardware.gpu.unified_memory
			hardware.gpu.0.vendor=nvidia hardware.gpu.0.driver=nvidia hardware.gpu.0.address=0000-01-00.0
			hardware.gpu.0.integrated hardware.gpu.0.unified_memory`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantTags(t, gpuSubject(), tt.machine, tt.want) })
	}
}

func TestAGPUCardThatCannotBeReadIsADoubt(t *testing.T) {
	m := pciFunction("0000:01:00.0", "10DE:1EB8", "30200", "nvidia", nil)
	m["/sys/devices/pci0000:00/0000:01:00.0/uevent"] = "!EIO"
	r, err := Run(t.Context(), Options{Timeout: patience, Tree: m.tree(), Subjects: []Subject{gpuSubject()}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Reports[0].Status != Unsure {
		t.Errorf("status %v, want could not tell", r.Reports[0].Status)
	}
}
