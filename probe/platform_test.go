package probe

import "testing"

func TestPlatform(t *testing.T) {
	pc := machine{"/proc/cpuinfo": "processor : 0\nflags : fpu lm\n"}
	guest := machine{"/proc/cpuinfo": "processor : 0\nflags : fpu lm hypervisor\n"}
	tests := map[string]struct {
		machine machine
		want    string
	}{
		"a machine of its own":    {pc, "software.platform.baremetal"},
		"a guest of nobody known": {guest, "software.platform.vm=unknown"},
		"a guest told by its clock": {guest.with(machine{
			"/sys/devices/system/clocksource/clocksource0/available_clocksource": "kvm-clock tsc \n"}), "software.platform.vm=kvm"},
		"a guest told by its firmware": {guest.with(machine{"/sys/class/dmi/id/product_name": "VirtualBox\n"}),
			"software.platform.vm=virtualbox"},
		"a cloud": {guest.with(machine{"/sys/class/dmi/id/sys_vendor": "Amazon EC2\n",
			"/sys/class/dmi/id/product_name": "m5.large\n"}), "software.platform.vm=amazon software.platform.cloud=aws"},
		"a whole machine in a cloud": {pc.with(machine{"/sys/class/dmi/id/sys_vendor": "Amazon EC2\n",
			"/sys/class/dmi/id/product_name": "m5.metal\n"}), "software.platform.baremetal software.platform.cloud=aws"},
		"a board emulated": {pc.with(deviceTreeOf("linux,dummy-virt", "linux,dummy-virt")), "software.platform.vm=qemu"},
		"the host of Xen guests": {pc.with(machine{"/sys/hypervisor/type": "xen\n", "/proc/xen/capabilities": "control_d\n"}),
			"software.platform.baremetal"},
		"a container of Docker": {pc.with(machine{"/.dockerenv": ""}), "software.platform.container=docker"},
		"a container told by its cgroup": {guest.with(machine{"/proc/self/cgroup": "0::/kubepods/besteffort/pod1/x\n"}),
			"software.platform.vm=unknown software.platform.container=kubernetes"},
		"a container told by its first process": {pc.with(machine{"/proc/1/environ": "A=b\x00container=lxc\x00"}),
			"software.platform.container=lxc"},
		"Linux under Windows": {guest.with(machine{"/proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2\n"}),
			"software.platform.vm=unknown software.platform.wsl"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantTags(t, platformSubject(), tt.machine, tt.want) })
	}
}
