package probe

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jaypipes/ghw"
	"github.com/shirou/gopsutil/v3/net"
)

// asked runs a tool of this machine that answers in JSON, and skips the test where it is not installed.
func asked(t *testing.T, into any, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s here to hold the probe against", name)
	}
	out, err := exec.Command(path, args...).Output()
	if err != nil {
		t.Skipf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Skipf("%s gives no JSON that this test knows: %v", name, err)
	}
}

// toldHere runs subjects on this machine.
func toldHere(t *testing.T, subjects ...Subject) map[string][]string {
	t.Helper()
	r, err := Run(t.Context(), Options{Timeout: patience, Subjects: subjects, Virtual: true})
	if err != nil {
		t.Fatal(err)
	}
	return valuesOf(r)
}

// whileNothingMoves asks another source and the probe about interfaces, again where one came or went in between: other
// tests and containers of this machine make them too.
func whileNothingMoves(t *testing.T, other func() error) map[string][]string {
	t.Helper()
	names := func() string {
		entries, _ := os.ReadDir(netClass)
		return fmt.Sprint(entries)
	}
	for range 20 {
		before := names()
		if err := other(); err != nil {
			t.Skipf("the other source gives no interfaces: %v", err)
		}
		if got := toldHere(t, networkSubject()); names() == before {
			return got
		}
	}
	t.Skip("interfaces come and go all the time")
	return nil
}

func TestDisksAgreeWithLsblk(t *testing.T) {
	var list struct {
		Devices []struct {
			Name, Type, Model, Tran string
			Size                    int64
			RM, Rota                bool
		} `json:"blockdevices"`
	}
	asked(t, &list, "lsblk", "-J", "-b", "-d", "-o", "NAME,SIZE,TYPE,RM,ROTA,MODEL,TRAN")
	got := toldHere(t, storageSubject())
	for _, d := range list.Devices {
		if _, whole := readDisk(&Pass{ctx: t.Context(), tree: Here()}, d.Name); d.Type != "disk" || !whole {
			continue
		}
		key := "hardware.storage.disk." + keyword(d.Name)
		kind := one(got[key])
		if kind == "none" {
			t.Errorf("lsblk lists %s, the probe does not", d.Name)
			continue
		}
		if have := one(got[key+".bytes"]); d.Size > 0 && have != strconv.FormatInt(d.Size, 10) {
			t.Errorf("%s: %s bytes, lsblk says %d", d.Name, have, d.Size)
		}
		if have := one(got[key+".model"]); d.Model != "" && !strings.HasSuffix(have, Slug(d.Model)) {
			t.Errorf("%s: model %q, lsblk says %q", d.Name, have, d.Model)
		}
		if (kind == "hdd" && !d.Rota) || (kind == "ssd" && d.Rota) || (d.Tran == "nvme") != (kind == "nvme") {
			t.Errorf("%s is %s; lsblk says rota %v, transport %q", d.Name, kind, d.Rota, d.Tran)
		}
		if _, removable := got[key+".removable"]; d.RM && !removable {
			t.Errorf("%s can be removed, says lsblk alone", d.Name)
		}
	}
}

func TestDevicesAgreeWithTheLibraries(t *testing.T) {
	a := &agreement{t: t, rows: map[row]*score{}, reason: map[string]int{}}
	got := toldHere(t, storageSubject())
	block, err := ghw.Block(ghw.WithDisableTools(), ghw.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Logf("ghw gives no disks: %v", err)
	} else {
		for _, d := range block.Disks {
			a.disk("ghw", "this machine", d, got)
		}
	}
	var links net.InterfaceStatList
	got = whileNothingMoves(t, func() (err error) {
		links, err = net.Interfaces()
		return err
	})
	for _, l := range links {
		if _, err := os.Stat(netClass + "/" + l.Name); err != nil || slices.Contains(l.Flags, "loopback") {
			continue // the loopback is no interface of ours
		}
		if one(got["hardware.network.interface."+keyword(l.Name)]) == "none" {
			t.Errorf("gopsutil lists %s, the probe does not", l.Name)
		}
	}
}

func TestInterfacesAgreeWithIP(t *testing.T) {
	var links []struct {
		Name string `json:"ifname"`
		Type string `json:"link_type"`
		Info struct {
			Kind string `json:"info_kind"`
		} `json:"linkinfo"`
	}
	got := whileNothingMoves(t, func() error {
		links = nil
		asked(t, &links, "ip", "-d", "-j", "link")
		return nil
	})
	n := 0
	for _, l := range links {
		if _, err := os.Stat(netClass + "/" + l.Name); err != nil {
			continue // a namespace whose /sys is another's
		}
		kind := one(got["hardware.network.interface."+keyword(l.Name)])
		want := kind
		switch {
		case l.Type == "loopback":
			want = "none"
		case l.Info.Kind != "" && l.Info.Kind != "can":
			want = "virtual"
		case l.Type == "can" && kind != "virtual":
			want = "can"
		}
		if kind != want || kind == "none" && l.Type != "loopback" {
			t.Errorf("%s is %s; ip says %s %s", l.Name, kind, l.Type, l.Info.Kind)
		}
		n++
	}
	for key := range got {
		name, ok := strings.CutPrefix(key, "hardware.network.interface.")
		if ok && !strings.Contains(name, ".") {
			n--
		}
	}
	if n > 1 { // the loopback is no interface of ours
		t.Errorf("ip lists %d links more than the probe", n)
	}
}

// hardwareNode is one node of lshw's tree.
type hardwareNode struct {
	Class    string         `json:"class"`
	Bus      string         `json:"businfo"`
	Name     any            `json:"logicalname"` // one name or several
	Size     int64          `json:"size"`
	Children []hardwareNode `json:"children"`
}

func (h hardwareNode) walk(visit func(hardwareNode, string)) {
	name, _ := h.Name.(string)
	if names, ok := h.Name.([]any); ok && len(names) > 0 {
		name, _ = names[0].(string)
	}
	visit(h, name)
	for _, child := range h.Children {
		child.walk(visit)
	}
}

func TestDevicesAgreeWithLshw(t *testing.T) {
	var raw json.RawMessage
	asked(t, &raw, "lshw", "-json", "-quiet")
	var roots []hardwareNode
	if json.Unmarshal(raw, &roots) != nil { // older versions print the one root without brackets
		roots = make([]hardwareNode, 1)
		if err := json.Unmarshal(raw, &roots[0]); err != nil {
			t.Skipf("lshw: %v", err)
		}
	}
	got := toldHere(t, storageSubject(), networkSubject(), gpuSubject())
	displays := 0
	for _, root := range roots {
		root.walk(func(h hardwareNode, name string) {
			switch {
			case h.Class == "network" && name != "" && h.Bus != "":
				if one(got["hardware.network.interface."+keyword(name)]) == "none" {
					t.Errorf("lshw lists the interface %s, the probe does not", name)
				}
			case h.Class == "disk" && strings.HasPrefix(name, "/dev/") && h.Size > 0:
				key := "hardware.storage.disk." + keyword(strings.TrimPrefix(name, "/dev/"))
				if have := one(got[key+".bytes"]); have != strconv.FormatInt(h.Size, 10) {
					t.Errorf("%s: %s bytes, lshw says %d", name, have, h.Size)
				}
			case h.Class == "display" && strings.HasPrefix(h.Bus, "pci@"):
				displays++
			}
		})
	}
	if have := atoi(one(got["hardware.display.controllers"])); have < displays {
		t.Errorf("%d display controllers, lshw lists %d on PCI", have, displays)
	}
}
