package probe

import (
	"fmt"
	"strings"
)

func storageSubject() Subject {
	words := []Word{
		{Key: "hardware.storage_gb", Unit: "GiB", Meaning: "size of all fixed disks and SD cards together, to the " +
			"nearest whole",
			From: "/sys/block/*/size", Since: "0.1", Nomad: "unique.storage.bytestotal"},
		{Key: "hardware.storage.total_bytes", Unit: "bytes", Meaning: "size of all fixed disks and SD cards together",
			From: "/sys/block/*/size", Since: "0.1"},
		{Key: "hardware.storage.disks", Unit: "count", Meaning: "fixed disks", From: "/sys/block",
			Since: "0.1"},
		{Key: "hardware.storage.optical.count", Unit: "count", Meaning: "optical drives", From: "/sys/block", Since: "0.1"},
		{Key: "hardware.storage.encrypted", Meaning: "has a mapped encrypted volume", From: "/sys/block/dm-*/dm/uuid",
			Since: "0.1"},
		{Key: "hardware.storage.raid", Unit: "text", Meaning: "level of a software RAID", From: "/sys/block/md*/md/level",
			Since: "0.1"},
		{Key: "hardware.storage.removable", Meaning: "has a disk that can be taken out", From: "/sys/block/*/removable, " +
			"USB, SD card", Since: "0.1"},
		{Key: "hardware.storage.wear_pct", Unit: "percent", Meaning: "life used by the most worn disk that tells, upper bound",
			From: "/sys/block/mmcblk*/device/life_time", Since: "0.1"},
		{Key: "hardware.storage.disk.NAME", Unit: "text", Meaning: "kind of the disk NAME: nvme, ssd, hdd, emmc, sd, virtual …",
			From: "/sys/block/NAME", Since: "0.1"},
		{Key: "hardware.storage.disk.NAME.bytes", Unit: "bytes", Meaning: "size of the disk", From: "/sys/block/NAME/size",
			Since: "0.1"},
		{Key: "hardware.storage.disk.NAME.model", Unit: "text", Meaning: "model of the disk", From: "/sys/block/NAME/device",
			Since: "0.1"},
		{Key: "hardware.storage.disk.NAME.removable", Meaning: "the disk can be taken out", From: "/sys/block/NAME/removable, " +
			"USB, SD card", Since: "0.1"},
		{Key: "hardware.storage.disk.NAME.wear_pct", Unit: "percent", Meaning: "life used, upper bound",
			From: "/sys/block/NAME/device/life_time", Since: "0.1"},
	}
	for _, k := range diskKinds {
		words = append(words, Word{Key: "hardware.storage." + k[0], Meaning: "has " + k[1], From: "/sys/block", Since: "0.1",
			NFD: k[2]})
	}
	return Subject{Name: "storage", Words: words, Uevents: []string{"block", "mmc", "nvme"}, Probe: probeStorage}
}

// diskKinds are the kinds of a disk, what each is, and its label elsewhere.
var diskKinds = [...][3]string{
	{"nvme", "an NVMe disk", ""}, {"ssd", "a disk without moving parts", "storage-nonrotationaldisk"},
	{"hdd", "a disk that turns", ""}, {"emmc", "an eMMC", ""}, {"sd", "an SD card", ""},
	{"usb", "a disk on USB", ""}, {"virtual", "a virtual machine's disk", ""}, {"optical", "an optical drive", ""},
	{"floppy", "a floppy drive", ""}, {"disk", "a disk of a kind the kernel does not tell", ""},
}

// notDisks are block devices made of other things: memory, files, parts of disks, the network.
var notDisks = [...]string{"loop", "ram", "zram", "dm-", "md", "nbd", "rbd", "bcache", "mtdblock", "zd", "drbd", "ubiblock",
	"pmem", "nullb"}

// disk is one block device that is a whole disk.
type disk struct {
	name, kind, model string
	bytes             int64
	removable         bool
	wear              int64 // percent, 0 where the kernel does not tell
	evidence          Evidence
}

func probeStorage(p *Pass) error {
	names, err := p.List("/sys/block")
	if len(names) == 0 {
		return err
	}
	p.Doubt("", err)
	var total, wear, n, optical int64
	var all, worn Evidence
	for _, name := range names {
		if numbered(name, "dm-") {
			if e, err := p.Read("/sys/block/" + name + "/dm/uuid"); err == nil && strings.HasPrefix(e.Raw, "CRYPT-") {
				p.Tag("hardware.storage.encrypted", e.With("CRYPT-"))
			}
		}
		if numbered(name, "md") {
			if e, err := p.Read("/sys/block/" + name + "/md/level"); err == nil {
				p.Value("hardware.storage.raid", e.Text(), e)
			}
		}
		d, ok := readDisk(p, name)
		if !ok {
			continue
		}
		p.tellDisk(d)
		if d.kind == "optical" {
			optical++
		}
		if d.kind == "optical" || d.kind == "floppy" || d.bytes == 0 && p.Exists("/sys/block/"+name+"/size") {
			continue // a drive without a medium is no disk
		}
		if !d.removable {
			n++
		}
		if !d.removable || d.kind == "sd" { // a small board lives on its card
			total, all = total+d.bytes, d.evidence
		}
		if d.wear > wear {
			wear, worn = d.wear, d.evidence
		}
	}
	p.Count("hardware.storage.disks", n, Evidence{Path: "/sys/block", Raw: strings.Join(names, " ")})
	if optical > 0 {
		p.Count("hardware.storage.optical.count", optical, Evidence{Path: "/sys/block", Raw: strings.Join(names, " ")})
	}
	if total > 0 {
		p.Count("hardware.storage_gb", (total+1<<29)>>30, all)
		p.Count("hardware.storage.total_bytes", total, all)
	}
	if wear > 0 {
		p.Count("hardware.storage.wear_pct", wear, worn)
	}
	return nil
}

func (p *Pass) tellDisk(d disk) {
	key := "hardware.storage.disk." + keyword(d.name)
	p.Tag("hardware.storage."+d.kind, d.evidence)
	p.Value(key, d.kind, d.evidence)
	p.Value(key+".model", d.model, d.evidence)
	if d.bytes > 0 {
		p.Count(key+".bytes", d.bytes, d.evidence)
	}
	if d.removable {
		p.Tag("hardware.storage.removable", d.evidence)
		p.Tag(key+".removable", d.evidence)
	}
	if d.wear > 0 {
		p.Count(key+".wear_pct", d.wear, d.evidence)
	}
}

// readDisk describes a block device, if it is a disk of its own.
func readDisk(p *Pass, name string) (disk, bool) {
	for _, other := range notDisks {
		if rest, ok := strings.CutPrefix(name, other); ok && (rest == "" || rest[0] >= '0' && rest[0] <= '9') {
			return disk{}, false
		}
	}
	dir := "/sys/block/" + name
	partOf := strings.Contains(name, "boot") || strings.HasSuffix(name, "rpmb") // of an eMMC
	if partOf || multipath(name) || p.Text(dir+"/hidden") == "1" {
		return disk{}, false
	}
	d := disk{name: name, evidence: Evidence{Path: dir, Raw: p.Real(dir)}}
	if sectors, e, err := p.Number(dir + "/size"); err == nil {
		if sectors < 0 || sectors > 1<<44 {
			p.Doubt("hardware.storage.disk."+keyword(name)+".bytes", fmt.Errorf("implausible size of %d sectors", sectors))
			return disk{}, false
		}
		d.bytes, d.evidence = sectors*512, e // always in units of 512, whatever the disk's own sector
	} else {
		p.Doubt("hardware.storage.disk."+keyword(name)+".bytes", err)
	}
	d.model = strings.TrimSpace(p.Text(dir+"/device/vendor") + " " + p.Text(dir+"/device/model"))
	onUSB := strings.Contains(p.Real(dir), "/usb")
	d.kind = diskKind(p, name, onUSB)
	if d.kind == "emmc" || d.kind == "sd" {
		d.model = p.Text(dir + "/device/name")
		d.wear = mmcWear(p.Text(dir + "/device/life_time"))
	}
	if strings.HasPrefix(d.model, "0x") { // a PCI vendor, not a text
		_, d.model, _ = strings.Cut(d.model, " ")
	}
	d.removable = p.Text(dir+"/removable") == "1" || onUSB || d.kind == "sd"
	return d, true
}

// multipath recognises one path of several to an NVMe disk: nvme0c1n1 belongs to nvme0n1.
func multipath(name string) bool {
	rest, ok := strings.CutPrefix(name, "nvme")
	rest = strings.TrimLeft(rest, "0123456789")
	return ok && strings.HasPrefix(rest, "c")
}

func diskKind(p *Pass, name string, onUSB bool) string {
	dir := "/sys/block/" + name
	switch {
	case strings.HasPrefix(name, "nvme"):
		return "nvme"
	case numbered(name, "mmcblk"):
		kind := p.Text(dir + "/device/type")
		if kind == "" {
			e, _ := p.Read(dir + "/device/uevent")
			kind = property(e.Raw, "MMC_TYPE")
		}
		if kind == "MMC" {
			return "emmc"
		}
		return "sd"
	case numbered(name, "sr"):
		return "optical"
	case numbered(name, "fd"):
		return "floppy"
	case onUSB:
		return "usb"
	case strings.HasPrefix(name, "vd"), strings.HasPrefix(name, "xvd"):
		return "virtual"
	case p.Text(dir+"/queue/rotational") == "1":
		return "hdd"
	case p.Exists(dir + "/queue/rotational"):
		return "ssd"
	}
	return "disk"
}

// mmcWear reads life_time, two estimates in steps of ten percent: "0x02 0x01". The worse counts, by its upper end.
func mmcWear(text string) (percent int64) {
	for word := range strings.FieldsSeq(text) {
		var step int64
		if _, err := fmt.Sscanf(word, "0x%x", &step); err == nil && step > 0 && step <= 11 {
			percent = max(percent, step*10)
		}
	}
	return percent
}

// property is the value of KEY=value in a uevent file.
func property(uevent, key string) string {
	for line := range strings.Lines(uevent) {
		if value, ok := strings.CutPrefix(line, key+"="); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
