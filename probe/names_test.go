package probe

import (
	"strings"
	"testing"
)

const someNames = `# a list of names
1002  Advanced Micro Devices, Inc. [AMD/ATI]
	738c  Arcturus GL-XL [Instinct MI100]
		1002 0c34  a board of it
10de  NVIDIA Corporation
	2204  GA102 [GeForce RTX 3090]
	# a remark
	2330  GH100 [H100 SXM5 80GB]
8086  Intel Corporation
	1533  I210 Gigabit Network Connection
C 03  Display controller
	00  VGA compatible controller
`

func TestNamesComeFromTheTableThenFromTheSystemsList(t *testing.T) {
	p := &Pass{ctx: t.Context(), tree: machine{pciNames[1]: someNames}.tree()}
	for id, want := range map[uint32]string{
		0x10022204: "", 0x10de2204: "NVIDIA GeForce RTX 3090", 0x80861533: "I210 Gigabit Network Connection",
		0x10de0000: "", 0x0003_0000: "", 0xffff0000: "",
	} {
		if got := pciName(p, uint16(id>>16), uint16(id)); got != want {
			t.Errorf("%08x is %q, want %q", id, got, want)
		}
	}
	if got := idName(someNames, 0x10de, 0x2330); got != "H100 SXM5 80GB" {
		t.Errorf("the product in brackets: %q", got)
	}
	bare := &Pass{ctx: t.Context(), tree: machine{}.tree()}
	if got := pciName(bare, 0x8086, 0x1533); got != "" {
		t.Errorf("without a list: %q", got)
	}
}

func TestKnownNamesFitATag(t *testing.T) {
	for id, name := range knownPCI {
		if slug := Slug(name); slug == "" || len(slug) > 63 || plainText(name) != nil {
			t.Errorf("%08x: %q becomes %q", id, name, slug)
		}
	}
}

func FuzzIDName(f *testing.F) {
	f.Add(someNames, uint16(0x10de), uint16(0x2330))
	f.Add("\n10de  \n\t2330  ", uint16(0x10de), uint16(0x2330))
	f.Add("10de", uint16(0x10de), uint16(0))
	f.Fuzz(func(t *testing.T, list string, vendor, device uint16) {
		if name := idName(list, vendor, device); len(name) > maxNVMLText || strings.Contains(name, "\n") {
			t.Errorf("name %q", name)
		}
	})
}
