package probe

import "testing"

func usbPlugged(name, vendor, product string) machine {
	return machine{usbRoot + "/" + name + "/idVendor": vendor + "\n", usbRoot + "/" + name + "/idProduct": product + "\n"}
}

func TestAcceleratorsAreCountedOnce(t *testing.T) {
	tests := map[string]struct {
		machine machine
		want    string
	}{
		"none, a GPU being another matter": {
			pciFunction("0000:01:00.0", "10DE:20B0", "30200", "nvidia", nil).
				with(pciFunction("0000:02:00.0", "1002:74A1", "120000", "amdgpu", nil)), ``},
		"Corals on PCIe and USB, one stick used and one not": {
			pciFunction("0000:04:00.0", "1AC1:089A", "FF", "apex", nil).
				with(machine{"/sys/class/apex/apex_0/device": "-> /sys/devices/pci0000:00/0000:04:00.0"}).
				with(usbPlugged("1-1", "1a6e", "089a")).with(usbPlugged("2-1", "18d1", "9302")), `
			hardware.accelerator hardware.accelerator.count=3 hardware.accelerator.coral hardware.accelerator.coral.count=3
			hardware.accelerator.coral.pcie hardware.accelerator.coral.usb hardware.accelerator.model=google-coral-edge-tpu`},
		"a Hailo": {pciFunction("0001:01:00.0", "1E60:2864", "B4000", "hailo", nil), `
			hardware.accelerator hardware.accelerator.count=1 hardware.accelerator.hailo hardware.accelerator.hailo.count=1
			hardware.accelerator.model=hailo-8`},
		"a Rockchip's NPU, seen as devfreq and as DRM": {
			socDevice("fdab0000.npu", "RKNPU", "/sys/class/drm/card1").
				with(machine{"/sys/class/devfreq/fdab0000.npu/device": "-> /sys/devices/platform/fdab0000.npu"}), `
			hardware.accelerator hardware.accelerator.count=1 hardware.accelerator.npu hardware.accelerator.npu.count=1
			hardware.accelerator.npu.vendor=rockchip hardware.accelerator.model=rockchip-npu`},
		"the NPUs of laptops": {
			pciFunction("0000:00:0b.0", "8086:7D1D", "120000", "intel_vpu", nil).
				with(pciFunction("0000:c5:00.1", "1022:1502", "118000", "", nil)).
				with(machine{"/sys/class/accel/accel0/device": "-> /sys/devices/pci0000:00/0000:00:0b.0"}), `
			hardware.accelerator hardware.accelerator.count=2 hardware.accelerator.npu hardware.accelerator.npu.count=2
			hardware.accelerator.npu.vendor=intel hardware.accelerator.npu.vendor=amd
			hardware.accelerator.model=intel-npu-meteor-lake hardware.accelerator.model=amd-xdna-npu-phoenix`},
		"an FPGA on the board, one on a card and a Myriad": {
			machine{"/sys/class/fpga_manager/fpga0/name": "Xilinx ZynqMP FPGA Manager\n"}.
				with(pciFunction("0000:65:00.0", "10EE:5000", "120000", "xclmgmt", nil)).
				with(pciFunction("0000:65:00.1", "10EE:5001", "120000", "xocl", nil)).
				with(usbPlugged("1-2", "03e7", "2485")), `
			hardware.accelerator hardware.accelerator.count=3
			hardware.accelerator.fpga hardware.accelerator.fpga.count=2 hardware.accelerator.model=xilinx-zynqmp-fpga-manager
			hardware.accelerator.model=amd-alveo-u200 hardware.accelerator.vpu hardware.accelerator.vpu.count=1
			hardware.accelerator.model=intel-movidius-myriad-x`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantTags(t, acceleratorSubject(), tt.machine, tt.want) })
	}
}
