package probe

import "testing"

// blockDevice writes one disk at its place on a bus.
func blockDevice(name, place string, files machine) machine {
	dir := "/sys/devices/" + place + "/block/" + name
	m := machine{"/sys/block/" + name: "-> " + dir, dir + "/device": "-> /sys/devices/" + place}
	for file, content := range files {
		m[dir+"/"+file] = content
	}
	return m
}

func TestDisksAreToldApart(t *testing.T) {
	const ata, usb = "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0", "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host4"
	tests := map[string]struct {
		machine machine
		want    string
	}{
		"no disk": {machine{"/sys/": ""}, ``},
		"a diskless machine with the kernel's own devices": {
			machine{"/sys/block/loop0/size": "8\n", "/sys/block/ram1/size": "8\n", "/sys/block/zram0/size": "8\n"},
			`hardware.storage.disks=0`},
		"an NVMe disk, and its paths": {
			blockDevice("nvme0n1", "pci0000:00/0000:01:00.0/nvme/nvme0", machine{"size": "1000215216\n", "removable": "0\n",
				"queue/rotational": "0\n"}).with(machine{
				"/sys/devices/pci0000:00/0000:01:00.0/nvme/nvme0/model": "Samsung SSD 970 EVO Plus 500GB\n",
				"/sys/block/nvme0c1n1/size":                             "1000215216\n"}), `
			hardware.storage.nvme hardware.storage.disk.nvme0n1=nvme
			hardware.storage.disk.nvme0n1.bytes=512110190592
			hardware.storage.disk.nvme0n1.model=samsung-ssd-970-evo-plus-500gb
			hardware.storage.disks=1 hardware.storage_gb=477 hardware.storage.total_bytes=512110190592`},
		"one that turns and one that does not": {
			blockDevice("sda", ata, machine{"size": "1953525168\n", "queue/rotational": "1\n", "removable": "0\n"}).
				with(blockDevice("sdb", "pci0000:00/0000:00:17.0/ata2", machine{"size": "2097152\n", "queue/rotational": "0\n"})), `
			hardware.storage.hdd hardware.storage.disk.sda=hdd hardware.storage.disk.sda.bytes=1000204886016
			hardware.storage.ssd hardware.storage.disk.sdb=ssd hardware.storage.disk.sdb.bytes=1073741824
			hardware.storage.disks=2 hardware.storage_gb=933 hardware.storage.total_bytes=1001278627840`},
		"a worn eMMC with its parts, and an SD card": {
			blockDevice("mmcblk0", "platform/fe330000.mmc/mmc_host/mmc0/mmc0:0001", machine{"size": "61071360\n"}).
				with(blockDevice("mmcblk1", "platform/fe320000.mmc/mmc_host/mmc1/mmc1:aaaa", machine{"size": "62333952\n"})).
				with(machine{
					"/sys/devices/platform/fe330000.mmc/mmc_host/mmc0/mmc0:0001/type":      "MMC\n",
					"/sys/devices/platform/fe330000.mmc/mmc_host/mmc0/mmc0:0001/name":      "DA4032\n",
					"/sys/devices/platform/fe330000.mmc/mmc_host/mmc0/mmc0:0001/life_time": "0x02 0x04\n",
					"/sys/devices/platform/fe320000.mmc/mmc_host/mmc1/mmc1:aaaa/type":      "SD\n",
					"/sys/block/mmcblk0boot0/size":                                         "8192\n",
					"/sys/block/mmcblk0rpmb/size":                                          "8192\n"}), `
			hardware.storage.emmc hardware.storage.disk.mmcblk0=emmc hardware.storage.disk.mmcblk0.bytes=31268536320
			hardware.storage.disk.mmcblk0.model=da4032 hardware.storage.disk.mmcblk0.wear_pct=40 hardware.storage.wear_pct=40
			hardware.storage.sd hardware.storage.disk.mmcblk1=sd hardware.storage.disk.mmcblk1.bytes=31914983424
			hardware.storage.disk.mmcblk1.removable hardware.storage.removable
			hardware.storage.disks=1 hardware.storage_gb=59 hardware.storage.total_bytes=63183519744`},
		"a stick, an empty card reader and an optical drive": {
			blockDevice("sdb", usb, machine{"size": "30310400\n", "removable": "1\n", "queue/rotational": "1\n"}).
				with(blockDevice("sdc", usb, machine{"size": "0\n", "removable": "1\n"})).
				with(blockDevice("sr0", "pci0000:00/0000:00:17.0/ata5", machine{"size": "2097151\n", "removable": "1\n"})), `
			hardware.storage.usb hardware.storage.removable
			hardware.storage.disk.sdb=usb hardware.storage.disk.sdb.bytes=15518924800 hardware.storage.disk.sdb.removable
			hardware.storage.disk.sdc=usb hardware.storage.disk.sdc.removable
			hardware.storage.optical hardware.storage.optical.count=1
			hardware.storage.disk.sr0=optical hardware.storage.disk.sr0.removable
			hardware.storage.disk.sr0.bytes=1073741312
			hardware.storage.disks=0`},
		"encrypted volumes on a mirror": {
			machine{"/sys/block/dm-0/dm/uuid": "CRYPT-LUKS2-0123-root\n", "/sys/block/dm-1/dm/uuid": "LVM-abc\n",
				"/sys/block/md0/md/level": "raid1\n"}, `
			hardware.storage.encrypted hardware.storage.raid=raid1 hardware.storage.disks=0`},
		"a virtual machine's": {
			blockDevice("vda", "pci0000:00/0000:00:05.0/virtio2", machine{"size": "41943040\n", "queue/rotational": "1\n"}), `
			hardware.storage.virtual hardware.storage.disk.vda=virtual hardware.storage.disk.vda.bytes=21474836480
			hardware.storage.disks=1 hardware.storage_gb=20 hardware.storage.total_bytes=21474836480`},
		"of a size that cannot be": {
			blockDevice("sda", ata, machine{"size": "9223372036854775807\n"}), `hardware.storage.disks=0`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantTags(t, storageSubject(), tt.machine, tt.want) })
	}
}
