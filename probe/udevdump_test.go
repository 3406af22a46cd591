package probe

import (
	"path"
	"strings"
	"testing"
)

// A dump of udev's database names every device with its properties. It holds no attribute files, so this rebuilds the
// directories and links of /sys, and the few attributes that the properties repeat.

type device struct {
	path  string
	node  string
	props map[string]string
}

// buses are the subsystems that live in /sys/bus; every other one is a class.
const buses = " pci usb platform i2c spi mmc sdio scsi virtio iio hid acpi pnp cpu memory w1 mdio_bus event_source " +
	"workqueue clocksource clockevents edac machinecheck node nvmem pci_express media faux auxiliary amba rpmsg mei " +
	"thunderbolt ulpi dax nd serio usb-serial hdaudio mipi-dsi soc container mdev vmbus xen ccw ibmebus vio fsl-mc " +
	"dmabuf genpd cec serial-base serial scmi_protocol tee "

// dumped rebuilds the machine that `udevadm info --export-db` described.
func dumped(t testing.TB, name string) memory {
	t.Helper()
	devices := devicesOf(string(content(t, name)))
	known := map[string]bool{}
	for _, d := range devices {
		known[d.path] = true
	}
	m := machine{"/sys/": "", "/dev/": ""}
	for _, d := range devices {
		m.place(d, known)
	}
	return m.tree()
}

func devicesOf(dump string) []device {
	var all []device
	for line := range strings.Lines(dump) {
		kind, text, ok := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		switch {
		case !ok:
		case kind == "P":
			all = append(all, device{path: strings.TrimSpace(text), props: map[string]string{}})
		case len(all) == 0:
		case kind == "N":
			all[len(all)-1].node = strings.TrimSpace(text)
		case kind == "E":
			k, v, _ := strings.Cut(text, "=")
			all[len(all)-1].props[k] = v
		}
	}
	return all
}

func (m machine) place(d device, known map[string]bool) {
	dir, base, sub := "/sys"+d.path, path.Base(d.path), d.props["SUBSYSTEM"]
	m[dir+"/"] = ""
	var uevent strings.Builder
	for _, k := range strings.Fields("MAJOR MINOR DEVNAME DEVTYPE DRIVER MODALIAS PCI_CLASS PCI_ID PCI_SUBSYS_ID " +
		"PCI_SLOT_NAME PRODUCT TYPE INTERFACE IFINDEX NAME PHYS HID_ID HID_NAME OF_NAME OF_FULLNAME OF_COMPATIBLE_0 " +
		"OF_COMPATIBLE_1 OF_COMPATIBLE_N MMC_TYPE MMC_NAME BUSNUM DEVNUM SDIO_ID SDIO_CLASS") {
		if v, ok := d.props[k]; ok {
			uevent.WriteString(k + "=" + strings.TrimPrefix(v, "/dev/") + "\n")
		}
	}
	m[dir+"/uevent"] = uevent.String()
	if d.node != "" {
		m["/dev/"+d.node] = ""
	}
	if sub == "" {
		return
	}
	home, isBus := "/sys/class/"+sub, strings.Contains(buses, " "+sub+" ") || sub == "gpio" && d.props["DEVNAME"] != ""
	if isBus {
		home = "/sys/bus/" + sub
		m[home+"/devices/"+base] = "-> " + dir
	} else {
		m[home+"/"+base] = "-> " + dir
	}
	if sub == "block" && d.props["DEVTYPE"] == "disk" {
		m["/sys/block/"+base] = "-> " + dir
	}
	m[dir+"/subsystem"] = "-> " + home
	if driver := d.props["DRIVER"]; driver != "" {
		m["/sys/bus/"+sub+"/drivers/"+driver+"/"] = ""
		m[dir+"/driver"] = "-> /sys/bus/" + sub + "/drivers/" + driver
	}
	m.attributes(d, dir)
	if !isBus {
		parent := path.Dir(d.path)
		if path.Base(parent) == sub {
			parent = path.Dir(parent)
		}
		if known[parent] && !strings.HasPrefix(parent, "/devices/virtual") {
			m[dir+"/device"] = "-> /sys" + parent
		}
	}
}

func (m machine) attributes(d device, dir string) {
	set := func(name, value string) { m[dir+"/"+name] = value + "\n" }
	if alias := d.props["MODALIAS"]; alias != "" {
		set("modalias", alias)
	}
	pair := func(key, first, second string) {
		if a, b, ok := strings.Cut(d.props[key], ":"); ok {
			set(first, "0x"+strings.ToLower(a))
			set(second, "0x"+strings.ToLower(b))
		}
	}
	switch sub := d.props["SUBSYSTEM"]; {
	case sub == "pci":
		pair("PCI_ID", "vendor", "device")
		pair("PCI_SUBSYS_ID", "subsystem_vendor", "subsystem_device")
		class := strings.ToLower(d.props["PCI_CLASS"])
		set("class", "0x"+strings.Repeat("0", max(0, 6-len(class)))+class)
	case sub == "usb" && d.props["DEVTYPE"] == "usb_device":
		ids := strings.Split(d.props["PRODUCT"]+"///", "/")
		for i, name := range []string{"idVendor", "idProduct", "bcdDevice"} {
			set(name, strings.Repeat("0", max(0, 4-len(ids[i])))+ids[i])
		}
	case sub == "video4linux" && d.props["ID_V4L_PRODUCT"] != "":
		set("name", d.props["ID_V4L_PRODUCT"])
	}
}
