package probe

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// countedDevices maps the categories of an independent count to the tags that count the same.
var countedDevices = map[string]string{
	"NETWORK": "hardware.network.ethernet.count", "WIRELESS": "hardware.network.wifi.count",
	"BMC_NETWORK": "hardware.network.bmc.count", "WWAN": "hardware.network.cellular.count",
	"SOCKETCAN": "hardware.network.can.count", "BLUETOOTH": "hardware.network.bluetooth.count",
	"CAPTURE": "hardware.camera.count", "DISK": "hardware.storage.disks", "VIDEO": "hardware.display.controllers",
	"CDROM": "hardware.storage.optical.count", "WATCHDOG": "hardware.watchdog.count",
}

// checkDevices holds the number of devices against the counts that come with dumps of udev's database, and the names of
// disks against lsblk, where its output was kept.
func checkDevices(a *agreement) {
	const family = "checkbox-udevadm"
	var counts map[string]map[string]int
	expected := filepath.Join(fixtures(a.t), family, "expected-counts.json")
	if err := json.Unmarshal(content(a.t, expected), &counts); err != nil {
		a.t.Fatal(err)
	}
	for _, name := range recorded(a.t, family, "*.txt.gz") {
		base := strings.TrimSuffix(filepath.Base(name), ".txt.gz")
		tree := dumped(a.t, name)
		got := a.told(tree, networkSubject(), cameraSubject(), storageSubject(), gpuSubject(), peripheralSubject())
		for category, key := range countedDevices {
			want, told := counts[base][category]
			if !told {
				continue
			}
			have := "0"
			if n := got[key]; len(n) > 0 {
				have = n[0]
			}
			a.check(family, base, strings.ToLower(category), have, strconv.Itoa(want), func() string {
				return countedOtherwise(category, tree)
			})
		}
		for _, lsblk := range recorded(a.t, family, base+".lsblk.json.gz") {
			a.disks(family, base, content(a.t, lsblk), tree, got)
		}
	}
}

// countedOtherwise is the general reason why an independent count may differ.
func countedOtherwise(category string, tree memory) string {
	names, _ := tree.List("/sys/block")
	onUSB := func(name string) bool {
		real, _ := tree.Real("/sys/block/" + name)
		return strings.Contains(real, "/usb")
	}
	if category == "CDROM" && slices.ContainsFunc(names, func(n string) bool { return numbered(n, "sr") && onUSB(n) }) {
		return "a drive that a BMC lends over USB shows no difference in a dump"
	}
	if category != "DISK" {
		return ""
	}
	for _, name := range names {
		switch {
		case strings.HasPrefix(name, "mtdblock"):
			return "parts of raw flash are no disks"
		case strings.HasPrefix(name, "dm-"):
			return "the other source counts a volume or a stick of this machine, or leaves a disk's reader out"
		case numbered(name, "mmcblk"):
			return "a soldered eMMC is a disk; the other source takes it for a card reader"
		}
	}
	for _, name := range names {
		if strings.HasPrefix(name, "sd") && !onUSB(name) {
			return "a dump has no file `removable`, so a card reader on PCI looks like a disk"
		}
	}
	return ""
}

// disks compares the names of disks with lsblk's.
func (a *agreement) disks(family, machine string, lsblk []byte, tree memory, got map[string][]string) {
	var list struct {
		Devices []struct {
			Name string `json:"kname"`
			Type string `json:"type"`
		} `json:"blockdevices"`
	}
	if err := json.Unmarshal(lsblk, &list); err != nil {
		a.t.Fatal(err)
	}
	var want, have []string
	dumped, _ := tree.List("/sys/block") // lsblk was asked at another moment
	for _, d := range list.Devices {
		whole := d.Type == "disk" || d.Type == "rom"
		part := strings.Contains(d.Name, "boot") || strings.HasSuffix(d.Name, "rpmb")
		made := strings.HasPrefix(d.Name, "mtdblock") || strings.HasPrefix(d.Name, "zram")
		if whole && !part && !made && slices.Contains(dumped, d.Name) {
			want = append(want, d.Name)
		}
	}
	for key := range got {
		if name, ok := strings.CutPrefix(key, "hardware.storage.disk."); ok && !strings.Contains(name, ".") {
			have = append(have, name)
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	a.check(family, machine, "disks of lsblk", strings.Join(have, " "), strings.Join(slices.Compact(want), " "), nil)
}

var lsblkRow = regexp.MustCompile(`(?m)^(\w+) +\w+ +\d+:\d+ +([01]) +([0-9.]+)G disk`)

// checkLsblk holds disks against what lsblk printed of the same tree.
func checkLsblk(a *agreement) {
	const family = "util-linux-lsblk"
	for _, archive := range recorded(a.t, family, "*.tar.*") {
		for _, m := range unpacked(a.t, archive) {
			got := a.told(m.tree, storageSubject())
			dir := filepath.Join(fixtures(a.t), family, "expected", "lsblk-"+m.name)
			for _, row := range lsblkRow.FindAllStringSubmatch(string(content(a.t, dir+"-basic")), -1) {
				key := "hardware.storage.disk." + row[1]
				gib := "none"
				if n, err := strconv.ParseFloat(one(got[key+".bytes"]), 64); err == nil {
					gib = strconv.FormatFloat(n/(1<<30), 'f', 1, 64)
				}
				a.check(family, m.name, "size", gib, row[3], nil)
				_, removable := got[key+".removable"]
				a.check(family, m.name, "removable", strconv.FormatBool(removable), strconv.FormatBool(row[2] == "1"), nil)
			}
			for line := range strings.Lines(string(content(a.t, dir+"-vendor"))) {
				if len(line) < 53 || line[0] == ' ' || line[0] == '|' || line[0] == '`' || strings.HasPrefix(line, "NAME") {
					continue
				}
				want := Slug(strings.TrimSpace(line[53:min(62, len(line))]) + " " + strings.TrimSpace(line[12:53]))
				have := one(got["hardware.storage.disk."+strings.Fields(line)[0]+".model"])
				a.check(family, m.name, "model", have, want, nil)
			}
		}
	}
}

// usbRecord is one USB device of a recording, controllers aside.
var usbRecord = regexp.MustCompile(`(?m)^P: .*/\d+-[0-9.]+$`)

// checkUmockdev holds single recorded devices against what the recording is named after.
func checkUmockdev(a *agreement) {
	const family = "umockdev"
	for _, name := range recorded(a.t, family, "*.umockdev") {
		got := a.told(dumped(a.t, name), busSubject(), cameraSubject())
		plugged := len(usbRecord.FindAllString(string(content(a.t, name)), -1))
		base := filepath.Base(name)
		if strings.Contains(base, "fingerprint") {
			a.check(family, base, "spi", one(got["hardware.bus.spi.count"]), "1", nil)
		} else {
			a.check(family, base, "usb devices", one(got["hardware.bus.usb.devices"]), strconv.Itoa(plugged), nil)
		}
		a.check(family, base, "cameras", one(got["hardware.camera"]), "none", nil) // a camera with PTP takes no video
	}
}
