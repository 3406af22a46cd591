package capability_test

import (
	"testing"

	"github.com/edge-agent/edge-agent/capability"
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
	set, err := capability.ParseSet(board...)
	if err != nil {
		t.Fatal(err)
	}
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
