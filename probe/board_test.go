package probe

import (
	"strings"
	"testing"
)

func deviceTreeOf(model string, compatible ...string) machine {
	return machine{"/proc/device-tree/model": model + "\x00",
		"/proc/device-tree/compatible": strings.Join(compatible, "\x00") + "\x00"}
}

func TestBoard(t *testing.T) {
	tests := map[string]struct {
		machine machine
		want    string
	}{
		"a Raspberry Pi 4": {deviceTreeOf("Raspberry Pi 4 Model B Rev 1.4", "raspberrypi,4-model-b", "brcm,bcm2711"), `
			hardware.board.model=raspberry-pi-4-model-b-rev-1.4 hardware.board.vendor=raspberrypi
			hardware.board.family=raspberrypi hardware.board.compatible=raspberrypi-4-model-b
			hardware.board.compatible=brcm-bcm2711 hardware.soc=bcm2711 hardware.soc_vendor=broadcom`},
		"a Jetson Orin": {deviceTreeOf("NVIDIA Orin NX Developer Kit", "nvidia,p3768-0000+p3767-0000", "nvidia,tegra234").with(
			machine{"/etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n"}), `
			hardware.board.model=nvidia-orin-nx-developer-kit hardware.board.vendor=nvidia hardware.board.family=jetson
			hardware.board.compatible=nvidia-p3768-0000+p3767-0000 hardware.board.compatible=nvidia-tegra234
			hardware.board.module=p3767-0000 hardware.soc=tegra234
			hardware.soc_vendor=nvidia software.jetson.l4t=36.4.3 software.jetson.jetpack=6.2`},
		"an Allwinner board of a vendor kernel": {machine{"/proc/cpuinfo": "Processor : x\nprocessor : 0\n\n" +
			"CPU implementer : 0x41\nCPU part : 0xd03\n\nHardware : sun50iw6\n"}, `
			hardware.board.model=sun50iw6 hardware.soc=h6 hardware.soc_vendor=allwinner`},
		"a Raspberry Pi known by its cores alone": {machine{"/proc/cpuinfo": "processor : 0\nCPU implementer : 0x41\n" +
			"CPU part : 0xd0b\n\nHardware : BCM2835\nModel : Raspberry Pi 5 Model B Rev 1.0\n"}, `
			hardware.board.model=raspberry-pi-5-model-b-rev-1.0 hardware.soc=bcm2712 hardware.soc_vendor=broadcom`},
		"a laptop": {machine{"/sys/class/dmi/id/sys_vendor": "LENOVO\n", "/sys/class/dmi/id/product_name": "20ABCD\n",
			"/sys/class/dmi/id/chassis_type": "10\n"}, `
			hardware.board.vendor=lenovo hardware.board.model=20abcd hardware.chassis=laptop`},
		"firmware whose maker forgot the name": {machine{"/sys/class/dmi/id/sys_vendor": "To Be Filled By O.E.M.\n",
			"/sys/class/dmi/id/product_name": "Default string\n", "/sys/class/dmi/id/board_vendor": "ASRock\n",
			"/sys/class/dmi/id/board_name": "X470D4U\n", "/sys/class/dmi/id/chassis_type": "3\n"}, `
			hardware.board.vendor=asrock hardware.board.model=x470d4u hardware.chassis=desktop`},
		"a phone": {machine{"/system/build.prop": "ro.product.model=SM-G950F\nro.product.manufacturer=samsung\n" +
			"ro.chipname=exynos8895\n"}, `
			hardware.board.vendor=samsung hardware.board.model=sm-g950f hardware.soc=exynos8895 hardware.soc_vendor=samsung`},
		"nothing that tells": {machine{"/proc/cpuinfo": "processor : 0\nvendor_id : GenuineIntel\nmodel : 79\n"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantTags(t, boardSubject(), tt.machine, tt.want) })
	}
}

func TestReleasesOfLinuxForTegra(t *testing.T) {
	for l4t, want := range map[string]string{"38.2.0": "7.0", "38.2.1": "7.0", "35.3.1": "5.1.1", "36.4.3": "6.2",
		"36.4.0": "6.1", "39.2.0": "7.2", "32.7.4": "4.6.4", "99.1.0": "", "": ""} {
		if got := jetpackOf(l4t); got != want {
			t.Errorf("release %q came with JetPack %q; want %q", l4t, got, want)
		}
	}
}
