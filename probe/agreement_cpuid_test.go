package probe

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// cpuidLine is one answer of CPUID in a dump: mask, then what was asked, then EAX, EBX, ECX and EDX.
var cpuidLine = regexp.MustCompile(`(?m)^\S+ ([0-9a-f]+) 0 0 0 => ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)$`)

// modelNumber is the end of a file's name where it names a model: digits with letters around them.
var modelNumber = regexp.MustCompile(`(?:^|-|x[A-Za-z]+)([A-Z]*\d{4,5}[A-Za-z0-9]*)$`)

// checkCPUID holds vendor and model against the name of the file, as a kernel would write down the same answers.
func checkCPUID(a *agreement) {
	const family = "hwloc-x86-cpuid"
	for _, archive := range recorded(a.t, family, "*.tar.bz2") {
		name := strings.TrimSuffix(path.Base(archive), ".tar.bz2")
		vendor, brand := brandOf(a, archive)
		m := machine{"/proc/cpuinfo": "processor : 0\nvendor_id : " + vendor + "\nmodel name : " + brand + "\n"}
		got := a.told(m.tree(), cpuSubject())
		maker, _, _ := strings.Cut(name, "-")
		a.check(family, name, "vendor", one(got["hardware.cpu.vendor"]), strings.ToLower(maker), nil)
		number := modelNumber.FindStringSubmatch(name)
		if number == nil {
			continue
		}
		model := one(got["hardware.cpu.model"])
		want := plain(number[1])
		if strings.Contains(plain(model), want) {
			want = model
		}
		a.check(family, name, "model", model, want, nil)
	}
}

// brandOf decodes the vendor and the brand string of the first CPU in a dump.
func brandOf(a *agreement, archive string) (vendor, brand string) {
	r := tar.NewReader(bytes.NewReader(content(a.t, archive)))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			a.t.Fatalf("%s has no pu0", archive)
		}
		if err != nil {
			a.t.Fatal(err)
		}
		if path.Base(h.Name) == "pu0" {
			break
		}
	}
	dump, err := io.ReadAll(r)
	if err != nil {
		a.t.Fatal(err)
	}
	var name []byte
	for _, m := range cpuidLine.FindAllStringSubmatch(string(dump), -1) {
		var registers [4]uint32
		for i, digits := range m[2:] {
			n, _ := strconv.ParseUint(digits, 16, 32)
			registers[i] = uint32(n)
		}
		switch m[1] {
		case "0":
			vendor = letters(registers[1], registers[3], registers[2])
		case "80000002", "80000003", "80000004":
			name = append(name, letters(registers[:]...)...)
		}
	}
	return strings.TrimSpace(vendor), strings.TrimSpace(string(name))
}

func letters(registers ...uint32) string {
	var b []byte
	for _, r := range registers {
		b = binary.LittleEndian.AppendUint32(b, r)
	}
	return strings.ReplaceAll(string(b), "\x00", "")
}
