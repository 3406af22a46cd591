package capability_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/capability"
	"pgregory.net/rapid"
)

func TestTagIsReadInCanonicalForm(t *testing.T) {
	tests := []struct{ name, text, want, key, value string }{
		{"only a key", "hardware.gpu", "hardware.gpu", "hardware.gpu", ""},
		{"an equals sign", "hardware.gpu.vram_mb=8192", "hardware.gpu.vram_mb=8192", "hardware.gpu.vram_mb", "8192"},
		{"a colon", "software.os:linux", "software.os=linux", "software.os", "linux"},
		{"the first of both splits", "devices.a:b=c", "devices.a=b=c", "devices.a", "b=c"},
		{"a colon in the value", "devices.camera=usb:1", "devices.camera=usb:1", "devices.camera", "usb:1"},
		{"spaces in the value", "hardware.cpu.model=Cortex A72", "hardware.cpu.model=Cortex A72", "hardware.cpu.model",
			"Cortex A72"},
		{"a reserved prefix", "scope:global", "scope:global", "scope:global", ""},
		{"a reserved prefix with a value", "scope:region:eu", "scope:region=eu", "scope:region", "eu"},
		{"a fork", "fork-of:00ff", "fork-of:00ff", "fork-of:00ff", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tag, err := capability.Parse(test.text)
			if err != nil {
				t.Fatal(err)
			}
			value, has := tag.Value()
			if tag.String() != test.want || tag.Key() != test.key || value != test.value || has != (test.value != "") {
				t.Errorf("%q: got %q, key %q, value %q", test.text, tag, tag.Key(), value)
			}
		})
	}
}

func TestTagIsRefused(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", "must begin with"},
		{"an axis alone", "hardware", "must begin with"},
		{"an axis and a point", "hardware.", "empty word"},
		{"another axis", "dataforts.blob", "must begin with"},
		{"another prefix", "heat:hot", "must begin with"},
		{"capitals in the key", "hardware.GPU", "'G'"},
		{"a space in the key", "hardware.g pu", "' '"},
		{"two points", "hardware..gpu", "empty word"},
		{"an empty value", "hardware.gpu=", "empty value"},
		{"a space before the value", "hardware.gpu= x", "begins or ends with a space"},
		{"a line feed", "hardware.gpu=a\nb", "cannot be printed"},
		{"bytes that are not UTF-8", "hardware.gpu=\xff", "not UTF-8"},
		{"not a number", "hardware.gpu=NaN", "not a number that can be compared"},
		{"infinity", "hardware.gpu=-Infinity", "not a number that can be compared"},
		{"a number beyond 64 bits", "hardware.gpu=9223372036854775808", "beyond 64 bits"},
		{"a number with ten places", "hardware.gpu=0.1234567891", "at most 9"},
		{"a long key", "hardware." + strings.Repeat("a", 120), "at most 128"},
		{"a long value", "hardware.a=" + strings.Repeat("b", 193), "at most 192"},
		{"a long tag", "hardware." + strings.Repeat("a", 110) + "=" + strings.Repeat("b", 150), "at most 256"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tag, err := capability.Parse(test.text)
			if err == nil {
				t.Fatalf("%q is the tag %q", test.text, tag)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v: want it to say %q", err, test.want)
			}
		})
	}
}

func TestCleanTextIsAValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		clean := capability.Clean(text + "x")
		if _, err := capability.Text("hardware.cpu.model", clean); err != nil && isPlainText(clean) {
			t.Fatalf("%q became %q: %v", text, clean, err)
		}
	})
	if got := capability.Clean("  Intel(R)\x00 Core\t i7 \n"); got != "Intel(R) Core i7" {
		t.Errorf("got %q", got)
	}
	if got := capability.Clean(strings.Repeat("é", 200)); len(got) > capability.MaxValue {
		t.Errorf("%d bytes are left", len(got))
	}
}

// isPlainText leaves out what Clean cannot mend: a number that does not fit.
func isPlainText(s string) bool { return strings.Trim(s, "0123456789.-") != "" }

func TestNumbersCompareAsDecimals(t *testing.T) {
	digits := rapid.StringMatching(`-?[0-9]{1,17}(\.[0-9]{1,9})?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := digits.Draw(t, "a"), digits.Draw(t, "b")
		x, errX := capability.ParseNumber(a)
		y, errY := capability.ParseNumber(b)
		if errX != nil || errY != nil {
			t.Fatal(errX, errY)
		}
		exact := func(s string) *big.Rat { r, _ := new(big.Rat).SetString(s); return r }
		if got, want := x.Compare(y), exact(a).Cmp(exact(b)); got != want {
			t.Fatalf("%s compares with %s as %d, want %d", a, b, got, want)
		}
		if exact(x.String()).Cmp(exact(a)) != 0 {
			t.Fatalf("%s is written as %s", a, x)
		}
		again, err := capability.ParseNumber(x.String())
		if err != nil || again != x {
			t.Fatalf("%s is read back as %v, %v", x, again, err)
		}
	})
}

func TestNumberIsRefused(t *testing.T) {
	for _, text := range []string{"", "-", "1e5", "0x10", "1.", ".5", "+1", "1,5", "NaN", "inf", "1.2.3"} {
		if n, err := capability.ParseNumber(text); err == nil {
			t.Errorf("%q is the number %s", text, n)
		}
	}
}

func FuzzTag(f *testing.F) {
	for _, seed := range []string{"hardware.gpu", "software.os:linux", "scope:region:eu", "devices.a=b=c",
		"hardware.x=-0.5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tag, err := capability.Parse(text)
		if err != nil {
			return
		}
		if len(tag.String()) > capability.MaxTag {
			t.Fatalf("tag of %d bytes", len(tag.String()))
		}
		if again, err := capability.Parse(tag.String()); err != nil || again != tag {
			t.Fatalf("%q became %q: %v", tag, again, err)
		}
	})
}
