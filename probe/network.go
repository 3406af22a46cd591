package probe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func networkSubject() Subject {
	words := []Word{
		{Key: "hardware.network_gbps", Unit: "Gbit/s", Meaning: "speed of the fastest link that is up", From: "/sys/class/net/*/" +
			"speed", Since: "0.1"},
		{Key: "hardware.network.speed_mbps", Unit: "Mbit/s", Meaning: "speed of the fastest link that is up",
			From: "/sys/class/net/*/speed", Since: "0.1", Node: "node_network_speed_bytes"},
		{Key: "hardware.network.virtual", Meaning: "has a virtual interface; only where the agent is told to look for them",
			From: "/sys/class/net", Since: "0.1"},
		{Key: "hardware.network.sriov", Meaning: "a network card can be divided among virtual machines",
			From: "/sys/class/net/*/device/sriov_totalvfs", Since: "0.1", NFD: "network-sriov.capable"},
		{Key: "hardware.network.bluetooth", Meaning: "has a Bluetooth controller", From: "/sys/class/bluetooth", Since: "0.1"},
		{Key: "hardware.network.bluetooth.count", Unit: "count", Meaning: "Bluetooth controllers", From: "/sys/class/bluetooth",
			Since: "0.1"},
		{Key: "hardware.network.interface.NAME", Unit: "text", Meaning: "kind of the interface NAME: ethernet, wifi, cellular, " +
			"can, infiniband, bmc, virtual", From: "/sys/class/net/NAME", Since: "0.1", Node: "node_network_info"},
		{Key: "hardware.network.interface.NAME.driver", Unit: "text", Meaning: "driver of the interface",
			From: "link /sys/class/net/NAME/device/driver", Since: "0.1"},
		{Key: "hardware.network.interface.NAME.speed_mbps", Unit: "Mbit/s", Meaning: "speed of the link, while it is up",
			From: "/sys/class/net/NAME/speed", Since: "0.1"},
	}
	for _, kind := range []string{"ethernet", "wifi", "cellular", "can", "infiniband", "bmc"} {
		words = append(words,
			Word{Key: "hardware.network." + kind, Meaning: "has a network interface of this kind", From: "/sys/class/net",
				Since: "0.1"},
			Word{Key: "hardware.network." + kind + ".count", Unit: "count", Meaning: "interfaces of this kind",
				From: "/sys/class/net", Since: "0.1"})
	}
	return Subject{Name: "network", Words: words, Uevents: []string{"net", "bluetooth", "ieee80211"}, Probe: probeNetwork}
}

// Types of interfaces, as the kernel numbers them.
const (
	typeEthernet   = 1
	typeCAN        = 280
	typeInfiniband = 32
	typeRawIP      = 519
	typePhonet     = 820
	typeLoopback   = 772
)

const netClass = "/sys/class/net"

func probeNetwork(p *Pass) error {
	names, err := p.List(netClass)
	p.Doubt("", err)
	counts := map[string]*tally{}
	var fastest int64
	var fastestEvidence Evidence
	for _, name := range names {
		kind, e := linkKind(p, name)
		if kind == "" || kind == "virtual" && !p.virtual {
			continue
		}
		key := "hardware.network.interface." + keyword(name)
		p.Value(key, kind, e)
		if kind == "virtual" {
			p.Tag("hardware.network.virtual", e)
			continue
		}
		p.Value(key+".driver", p.Link(netClass+"/"+name+"/device/driver"), e)
		c := counts[kind]
		if c == nil {
			c = &tally{evidence: e}
			counts[kind] = c
		}
		c.n++
		if n, _, err := p.Number(netClass + "/" + name + "/device/sriov_totalvfs"); err == nil && n > 0 {
			p.Tag("hardware.network.sriov", e)
		}
		speed, se := linkSpeed(p, name, key)
		if speed > 0 {
			p.Count(key+".speed_mbps", speed, se)
		}
		if speed > fastest {
			fastest, fastestEvidence = speed, se
		}
	}
	for kind, c := range counts {
		p.Tag("hardware.network."+kind, c.evidence)
		p.Count("hardware.network."+kind+".count", int64(c.n), c.evidence)
	}
	if fastest > 0 {
		p.Count("hardware.network.speed_mbps", fastest, fastestEvidence)
		gbps := strconv.FormatFloat(float64(fastest)/1000, 'f', -1, 64)
		p.Value("hardware.network_gbps", gbps, fastestEvidence)
	}
	bluetooth(p)
	return nil
}

func bluetooth(p *Pass) {
	n := 0
	var e Evidence
	for _, name := range p.Names("/sys/class/bluetooth") {
		if numbered(name, "hci") {
			n++
			e = Evidence{Path: "/sys/class/bluetooth/" + name, Raw: p.Real("/sys/class/bluetooth/" + name)}
		}
	}
	if n > 0 {
		p.Tag("hardware.network.bluetooth", e)
		p.Count("hardware.network.bluetooth.count", int64(n), e)
	}
}

// linkKind tells what an interface is: empty for the loopback and for what is no interface, virtual for one without
// hardware behind it.
func linkKind(p *Pass, name string) (string, Evidence) {
	dir := netClass + "/" + name
	if !p.IsDir(dir) {
		return "", Evidence{} // bonding_masters lies among the interfaces
	}
	uevent, err := p.Read(dir + "/uevent")
	p.Doubt("hardware.network.interface."+keyword(name), err)
	if uevent.Raw == "" {
		uevent.Raw = p.Real(dir)
	}
	kind, _, typeErr := p.Number(dir + "/type")
	switch {
	case kind == typeLoopback, name == "lo":
		return "", uevent
	case !p.Exists(dir+"/device") && !onHardware(p.Real(dir)):
		return "virtual", uevent
	}
	driver := p.Link(dir + "/device/driver")
	devtype := property(uevent.Raw, "DEVTYPE")
	switch {
	case devtype == "wlan", p.IsDir(dir + "/phy80211"), p.IsDir(dir + "/wireless"):
		return "wifi", uevent
	case devtype == "wwan", kind == typeRawIP, kind == typePhonet, cellular[driver]:
		return "cellular", uevent
	case kind == typeCAN, typeErr != nil && canName(name):
		return "can", uevent
	case managementLink(p, dir):
		return "bmc", uevent
	case kind == typeInfiniband, typeErr != nil && numbered(name, "ib"):
		return "infiniband", uevent
	case kind == typeEthernet, typeErr != nil:
		return "ethernet", uevent
	}
	return "virtual", uevent
}

// cellular are the drivers of modems' network interfaces.
var cellular = map[string]bool{
	"qmi_wwan": true, "cdc_mbim": true, "huawei_cdc_ncm": true, "sierra_net": true, "hso": true, "mhi_net": true,
	"iosm": true, "t7xx": true, "mtk_t7xx": true,
}

// managementLinks are the USB network devices that a server's BMC lends to its host: vendor << 16 | product.
var managementLinks = map[uint32]bool{
	0x413ca102: true, 0x046bffb0: true, 0x04b34010: true, 0x0b1f03ee: true,
}

// managementLink reports whether an interface leads to this machine's own BMC and nowhere else.
func managementLink(p *Pass, dir string) bool {
	at := p.Real(dir + "/device")
	if !strings.Contains(at, "/usb") {
		return false
	}
	at = at[:max(strings.LastIndexByte(at, '/'), 0)]
	id, ok := idPair(p.Text(at+"/idVendor") + ":" + p.Text(at+"/idProduct"))
	return ok && managementLinks[id]
}

func canName(name string) bool {
	return numbered(name, "can") || numbered(name, "slcan") || numbered(name, "mcan") || strings.HasPrefix(name, "llce")
}

// onHardware reports whether a class device's real place is below a bus rather than among the virtual devices. Trees
// that were copied without the device link still show it so.
func onHardware(real string) bool {
	return strings.HasPrefix(real, "/sys/devices/") && !strings.HasPrefix(real+"/", "/sys/devices/virtual/")
}

// maxSpeed is above any link that exists; drivers that know no speed say 2^32-1 or -1.
const maxSpeed = 10_000_000

// linkSpeed is 0 while the link is down or has no speed, as a wireless one.
func linkSpeed(p *Pass, name, key string) (int64, Evidence) {
	n, e, err := p.Number(netClass + "/" + name + "/speed")
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP):
		return 0, e // how the kernel says that the link is down
	case err != nil:
		p.Doubt(key+".speed_mbps", err)
		return 0, e
	case n == -1, n == 1<<32-1, n == 0:
		return 0, e
	case n < 0 || n > maxSpeed:
		p.Doubt(key+".speed_mbps", fmt.Errorf("implausible speed of %d Mbit/s", n))
		return 0, e
	}
	return n, e
}
