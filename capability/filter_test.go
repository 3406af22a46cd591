package capability_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/capability"
	"pgregory.net/rapid"
)

var board = []string{
	"hardware.cpu_cores=4", "hardware.memory_mb=3906", "hardware.memory_gb=4", "hardware.gpu",
	"hardware.gpu.vendor=nvidia", "hardware.gpu.vram_gb=8", "hardware.gpu.0.vram_mb=6144", "hardware.gpu.1.vram_mb=8192",
	"hardware.gpu.1.vendor=amd", "software.os=linux", "software.os_version=12.5", "scope:region:eu",
	"software.model.0.id=llama-3-8b", "software.model.0.context_length=8192", "software.model.0.modalities=text,image",
	"software.model.1.id=whisper", "software.model.1.context_length=448", "software.model.1.modalities=audio",
	"software.tool.0.tool_id=grep", "devices.printer=upstairs", "devices.printer=down stairs",
}

func TestFilterMatches(t *testing.T) {
	set := mustSet(t, board...)
	tests := []struct {
		name, filter string
		want         bool
	}{
		{"nothing asked", "", true},
		{"a tag that is there", "hardware.gpu", true},
		{"a tag that is not", "hardware.tpu", false},
		{"the absence of a tag", "not hardware.tpu", true},
		{"enough memory", "hardware.memory_mb>=2048", true},
		{"too little memory", "memory_mb>=4096", false},
		{"a number nobody knows", "hardware.storage_gb>=1", false},
		{"the opposite of a number nobody knows", "not hardware.storage_gb>=1", false},
		{"unequal to a value nobody knows", "hardware.board!=rpi", false},
		{"unequal to a known value", "software.os!=windows", true},
		{"one of several values", `devices.printer=="down stairs"`, true},
		{"unequal to one of several values", "devices.printer!=upstairs", false},
		{"the largest GPU", "vram_mb>=8192", true},
		{"not the sum of GPUs", "vram_mb>=8193", false},
		{"the vendor of any GPU", "vendor==AMD", true},
		{"either of two", "hardware.tpu or hardware.gpu", true},
		{"and before or", "hardware.gpu or hardware.tpu and hardware.fpga", true},
		{"parentheses before and", "(hardware.gpu or hardware.tpu) and hardware.fpga", false},
		{"a decimal", "software.os_version<=12.50", true},
		{"a decimal below", "software.os_version>12.5", false},
		{"a text where a number is asked", "software.os>=1", false},
		{"a reserved prefix with a colon", "scope:region:eu", true},
		{"a reserved prefix alone", "scope:region", true},
		{"any of the models", "model==gpt or model==whisper", true},
		{"a context length", "context>=8192 and not context>=16384", true},
		{"a modality", "modality==IMAGE", true},
		{"a tool", "tool==grep", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			filter, err := capability.ParseFilter(test.filter)
			if err != nil {
				t.Fatal(err)
			}
			ok, unmet := filter.Match(set)
			if ok != test.want || ok != (len(unmet) == 0) {
				t.Errorf("%q: got %v %v, want %v", test.filter, ok, unmet, test.want)
			}
		})
	}
}

func TestFilterIsRefused(t *testing.T) {
	tests := []struct{ name, filter, want string }{
		{"an unfinished and", "hardware.gpu and", "the end stands where a tag"},
		{"two terms without a word", "hardware.gpu hardware.tpu", `"hardware.tpu" stands where and, or or the end should`},
		{"an open parenthesis", "(hardware.gpu", "closing parenthesis is missing"},
		{"an open quote", `software.os=="linux`, "closing quote is missing"},
		{"no value", "memory_mb>=", "the end stands where a value should"},
		{"a text where a number must be", "memory_mb>=lots", "want a number"},
		{"a bound on a text", "vendor>=nvidia", "compare it with == or !="},
		{"a word that needs a bound", "memory_mb", "as in memory_mb>=2048"},
		{"a name that is no tag", "memory>=2", "must begin with"},
		{"capitals", "hardware.GPU", "'G'"},
		{"not a number", "vram_mb>=NaN", "not a number that can be compared"},
		{"a bound that every node meets", "memory_mb>=0", "does not narrow"},
		{"an opposite beside it", "hardware.gpu or not hardware.gpu", "every node meets it"},
		{"a hidden opposite", "not (hardware.gpu and hardware.tpu) or hardware.gpu", "every node meets it"},
		{"too deep", strings.Repeat("(", 20) + "hardware.gpu" + strings.Repeat(")", 20), "nested deeper"},
		{"too many terms", strings.Repeat("hardware.gpu and ", 64) + "hardware.gpu", "more than 64 terms"},
		{"too long", strings.Repeat(" ", 5000), "above 4096"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			filter, err := capability.ParseFilter(test.filter)
			if err == nil {
				t.Fatalf("%q is the filter %q", test.filter, filter)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v: want it to say %q", err, test.want)
			}
		})
	}
}

func TestFilterIsWrittenInCanonicalForm(t *testing.T) {
	tests := []struct{ name, filter, want string }{
		{"one equals sign", "software.os=linux", "software.os==linux"},
		{"a colon", "scope:region:eu", "scope:region==eu"},
		{"words in capitals", "hardware.gpu AND NOT hardware.tpu", "hardware.gpu and not hardware.tpu"},
		{"needless parentheses", "((hardware.gpu) and (hardware.tpu))", "hardware.gpu and hardware.tpu"},
		{"needed parentheses", "hardware.gpu and (hardware.tpu or memory_mb > 5)",
			"hardware.gpu and (hardware.tpu or memory_mb>5)"},
		{"a not before parentheses", "not (hardware.gpu or memory_mb<5)", "not hardware.gpu and not memory_mb<5"},
		{"two nots", "not not hardware.gpu", "hardware.gpu"},
		{"not equal", "not software.os==linux", "software.os!=linux"},
		{"a quoted value", `hardware.cpu.model == "a \"b\" \\ c"`, `hardware.cpu.model=="a \"b\" \\ c"`},
		{"a vendor", "vendor==NVIDIA", "vendor==nvidia"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			filter, err := capability.ParseFilter(test.filter)
			if err != nil {
				t.Fatal(err)
			}
			if filter.String() != test.want {
				t.Errorf("got %q, want %q", filter, test.want)
			}
		})
	}
}

func TestNeedsBecomeAFilter(t *testing.T) {
	tests := []struct {
		name  string
		needs capability.Needs
		want  string
	}{
		{"nothing", capability.Needs{}, ""},
		{"all tags", capability.Needs{Tags: mustSet(t, "hardware.gpu", "software.os=linux").Tags()},
			"hardware.gpu and software.os==linux"},
		{"any model", capability.Needs{Models: []string{"llama", "phi 3"}}, `model==llama or model=="phi 3"`},
		{"any tool and memory", capability.Needs{Tools: []string{"a", "b"}, MemoryMB: 512},
			"(tool==a or tool==b) and memory_mb>=512"},
		{"each modality", capability.Needs{Modalities: []string{"Text", "image"}}, "modality==text and modality==image"},
		{"a vendor asks for a GPU", capability.Needs{Vendor: "AMD"}, "hardware.gpu and vendor==amd"},
		{"so does memory of one", capability.Needs{VRAMMB: 8192, Context: 4096},
			"hardware.gpu and vram_mb>=8192 and context>=4096"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			filter, err := test.needs.Filter()
			if err != nil {
				t.Fatal(err)
			}
			if filter.String() != test.want {
				t.Errorf("got %q, want %q", filter, test.want)
			}
			again, err := capability.ParseFilter(filter.String())
			if err != nil || !again.Equal(filter) {
				t.Errorf("read back as %q: %v", again, err)
			}
		})
	}
	for name, needs := range map[string]capability.Needs{
		"negative memory": {MemoryMB: -1}, "an empty model": {Models: []string{""}},
		"an empty tag": {Tags: make([]capability.Tag, 1)},
	} {
		if filter, err := needs.Filter(); err == nil {
			t.Errorf("%s is the filter %q", name, filter)
		}
	}
}

func TestUnmetTermsAreSaidInWords(t *testing.T) {
	tests := []struct {
		name, filter string
		want         []string
	}{
		{"a missing tag", "hardware.tpu", []string{"needs hardware.tpu, but nothing is known: a node with hardware.tpu"}},
		{"an unwanted tag", "not hardware.gpu",
			[]string{"needs not hardware.gpu, but it has hardware.gpu: a node without hardware.gpu"}},
		{"too little", "hardware.memory_mb>=4096", []string{
			"needs hardware.memory_mb>=4096, but it has 3906: hardware.memory_mb of at least 4096 instead of 3906"}},
		{"the GPU that comes closest", "vram_mb>9000",
			[]string{"needs vram_mb>9000, but it has 8192, 6144, 8192: vram_mb above 9000 instead of 8192"}},
		{"nothing known", "hardware.storage_gb<=5",
			[]string{"needs hardware.storage_gb<=5, but nothing is known: a node where hardware.storage_gb is known"}},
		{"another value", "software.os==qnx",
			[]string{"needs software.os==qnx, but it has linux: a node where software.os is qnx"}},
		{"only what is unmet", "hardware.gpu and hardware.tpu and software.os==linux",
			[]string{"needs hardware.tpu, but nothing is known: a node with hardware.tpu"}},
		{"the shorter alternative", "hardware.tpu and hardware.fpga or hardware.npu",
			[]string{"needs hardware.npu, but nothing is known: a node with hardware.npu"}},
	}
	set := mustSet(t, board...)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ok, unmet := capability.MustFilter(test.filter).Match(set)
			var got []string
			for _, u := range unmet {
				got = append(got, u.String())
			}
			if ok || !slices.Equal(got, test.want) {
				t.Errorf("got %v %q", ok, got)
			}
		})
	}
}

// anyFilter draws filters over few tags, so that they often meet the sets that anyTag gives.
func anyFilter(depth int) *rapid.Generator[string] {
	term := rapid.Custom(func(t *rapid.T) string {
		text := anyTag.Draw(t, "tag")
		if !strings.Contains(text, "=") && rapid.Bool().Draw(t, "compared") {
			text += rapid.SampledFrom([]string{">=1", "<2.5", ">-1", "!=x", "==\"a b\"", "<=1"}).Draw(t, "bound")
		}
		return text
	})
	if depth == 0 {
		return term
	}
	inner := anyFilter(depth - 1)
	return rapid.OneOf(term, rapid.Map(inner, func(f string) string { return "not (" + f + ")" }),
		rapid.Custom(func(t *rapid.T) string {
			word := rapid.SampledFrom([]string{" and ", " or "}).Draw(t, "word")
			return "(" + inner.Draw(t, "left") + ")" + word + "(" + inner.Draw(t, "right") + ")"
		}))
}

func TestFilterIsReadBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		filter, err := capability.ParseFilter(anyFilter(3).Draw(t, "filter"))
		if err != nil {
			return // it does not narrow
		}
		again, err := capability.ParseFilter(filter.String())
		if err != nil || !reflect.DeepEqual(again, filter) {
			t.Fatalf("%q became %q: %v", filter, again, err)
		}
	})
}

func TestFilterAndItsOppositeNeverBothMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := anyFilter(3).Draw(t, "filter")
		filter, err := capability.ParseFilter(text)
		opposite, errOpposite := capability.ParseFilter("not (" + text + ")")
		set, errSet := capability.ParseSet(rapid.SliceOf(anyTag).Draw(t, "set")...)
		if err != nil || errOpposite != nil || errSet != nil {
			return
		}
		ok, unmet := filter.Match(set)
		not, _ := opposite.Match(set)
		if ok && not {
			t.Fatalf("%q and its opposite match %v", filter, set.Tags())
		}
		if ok == (len(unmet) > 0) {
			t.Fatalf("%q matches: %v, with unmet terms %v", filter, ok, unmet)
		}
	})
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{"hardware.gpu and hardware.memory_mb>=2048", `not (model=="a b" or vram_mb<5)`,
		"scope:a:b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := capability.ParseFilter(text)
		if err != nil {
			return
		}
		filter.Match(capability.Set{})
		if canonical := filter.String(); len(canonical) <= capability.MaxFilter {
			if again, err := capability.ParseFilter(canonical); err != nil || !reflect.DeepEqual(again, filter) {
				t.Fatalf("%q became %q: %v", filter, again, err)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	set := mustSet(b, board...)
	filter := capability.MustFilter(
		"hardware.gpu and memory_mb>=2048 and vram_mb>=8192 and (vendor==amd or software.os==qnx)")
	b.ReportAllocs()
	for b.Loop() {
		if ok, _ := filter.Match(set); !ok {
			b.Fatal("the board does not match")
		}
	}
}
