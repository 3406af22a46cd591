package probe

import (
	"strings"
	"testing"
)

// netDevice writes one interface; place is empty for one without hardware.
func netDevice(name, place, driver string, files machine) machine {
	dir := "/sys/devices/virtual/net/" + name
	m := machine{}
	if place != "" {
		dir = "/sys/devices/" + place + "/net/" + name
		m[dir+"/device"] = "-> /sys/devices/" + place
		m["/sys/devices/"+place+"/driver"] = "-> /sys/bus/x/drivers/" + driver
	}
	m[netClass+"/"+name] = "-> " + dir
	m[dir+"/uevent"] = "INTERFACE=" + name + "\n"
	for file, content := range files {
		m[dir+"/"+file] = content
	}
	return m
}

func plant() machine {
	return netDevice("lo", "", "", machine{"type": "772\n"}).
		with(netDevice("eth0", "platform/fd580000.ethernet", "bcmgenet", machine{"type": "1\n", "speed": "1000\n"})).
		with(netDevice("eth1", "pci0000:00/0000:01:00.0", "igc", machine{"type": "1\n", "speed": "!EINVAL"})).
		with(netDevice("wlan0", "platform/fe300000.mmcnr", "brcmfmac", machine{"type": "1\n", "uevent": "DEVTYPE=wlan\n",
			"speed": "!EINVAL"})).
		with(netDevice("wwan0", "pci0000:00/usb1/1-3/1-3:1.4", "qmi_wwan", machine{"type": "1\n", "speed": "-1\n"})).
		with(netDevice("can0", "platform/spi0.0", "mcp251x", machine{"type": "280\n"})).
		with(netDevice("ib0", "pci0000:00/0000:02:00.0", "mlx5_core", machine{"type": "32\n", "speed": "100000\n"})).
		with(netDevice("idrac", "pci0000:00/usb2/2-1/2-1:1.0", "cdc_ether", machine{"type": "1\n"})).
		with(netDevice("docker0", "", "", machine{"type": "1\n", "speed": "10000\n"})).
		with(netDevice("vcan0", "", "", machine{"type": "280\n"})).
		with(machine{"/sys/devices/pci0000:00/0000:01:00.0/sriov_totalvfs": "7\n"}).
		with(machine{"/sys/devices/pci0000:00/usb2/2-1/idVendor": "413c\n", "/sys/devices/pci0000:00/usb2/2-1/idProduct": "a102\n",
			netClass + "/bonding_masters": "\n", "/sys/class/bluetooth/hci0": "-> /sys/devices/platform/serial0/hci0",
			"/sys/devices/platform/serial0/hci0/": "", "/sys/class/bluetooth/hci0:11": "-> /sys/devices/platform/serial0/hci0"})
}

const plantTags = `
	hardware.network.ethernet hardware.network.ethernet.count=2 hardware.network.sriov
	hardware.network.interface.eth0=ethernet hardware.network.interface.eth0.driver=bcmgenet
	hardware.network.interface.eth0.speed_mbps=1000
	hardware.network.interface.eth1=ethernet hardware.network.interface.eth1.driver=igc
	hardware.network.wifi hardware.network.wifi.count=1
	hardware.network.interface.wlan0=wifi hardware.network.interface.wlan0.driver=brcmfmac
	hardware.network.cellular hardware.network.cellular.count=1
	hardware.network.interface.wwan0=cellular hardware.network.interface.wwan0.driver=qmi_wwan
	hardware.network.can hardware.network.can.count=1
	hardware.network.interface.can0=can hardware.network.interface.can0.driver=mcp251x
	hardware.network.infiniband hardware.network.infiniband.count=1
	hardware.network.interface.ib0=infiniband hardware.network.interface.ib0.driver=mlx5_core
	hardware.network.interface.ib0.speed_mbps=100000
	hardware.network.bmc hardware.network.bmc.count=1
	hardware.network.interface.idrac=bmc hardware.network.interface.idrac.driver=cdc_ether
	hardware.network.bluetooth hardware.network.bluetooth.count=1
	hardware.network.speed_mbps=100000 hardware.network_gbps=100`

func TestInterfacesAreToldApart(t *testing.T) { wantTags(t, networkSubject(), plant(), plantTags) }

func TestVirtualInterfacesAreToldOnRequestOnly(t *testing.T) {
	r, err := Run(t.Context(), Options{
		Timeout: patience, Tree: plant().tree(), Subjects: []Subject{networkSubject()}, Virtual: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := lines(r)
	for _, want := range []string{"hardware.network.virtual\n", "interface.docker0=virtual\n", "interface.vcan0=virtual\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "interface.lo") || !strings.Contains(got, "hardware.network.can.count=1\n") {
		t.Errorf("the loopback, or a virtual CAN counted as a real one:\n%s", got)
	}
}

func TestSpeedsThatCannotBeAreRefused(t *testing.T) {
	for speed, doubtful := range map[string]bool{"-1": false, "4294967295": false, "0": false, "-7": true,
		"99999999999": true, "fast": true} {
		m := netDevice("eth0", "platform/x", "y", machine{"type": "1\n", "speed": speed + "\n"})
		r, err := Run(t.Context(), Options{Timeout: patience, Tree: m.tree(), Subjects: []Subject{networkSubject()}})
		if err != nil {
			t.Fatal(err)
		}
		if got := lines(r); strings.Contains(got, "speed") || strings.Contains(got, "gbps") {
			t.Errorf("a speed of %s became a tag:\n%s", speed, got)
		}
		if (r.Reports[0].Status == Unsure) != doubtful {
			t.Errorf("a speed of %s: %v", speed, r.Reports[0])
		}
	}
}
