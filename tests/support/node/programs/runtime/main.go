// An OCI runtime for a machine whose own processes lack CAP_SYS_RESOURCE. It takes that capability, and an oom_score_adj
// below zero, out of what it is told to run, and hands over to runc: runc refuses to give what nobody has.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const lacking = "CAP_SYS_RESOURCE"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if bundle := option(args, "--bundle", "-b"); bundle != "" {
		if err := edit(filepath.Join(bundle, "config.json"), true); err != nil {
			return err
		}
	}
	if process := option(args, "--process", "-p"); process != "" {
		if err := edit(process, false); err != nil {
			return err
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{"runc"}, args...), os.Environ())
}

// option finds the value of an option that is written in one word or two.
func option(args []string, names ...string) string {
	for at, arg := range args {
		for _, name := range names {
			if value, found := strings.CutPrefix(arg, name+"="); found {
				return value
			}
			if arg == name && at+1 < len(args) {
				return args[at+1]
			}
		}
	}
	return ""
}

// edit rewrites the description of a process, which stands alone or in the description of a container.
func edit(path string, nested bool) error {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var all map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	process := all
	if nested {
		process, _ = all["process"].(map[string]any)
	}
	if process == nil {
		return nil
	}
	if sets, ok := process["capabilities"].(map[string]any); ok {
		for name, set := range sets {
			sets[name] = without(set)
		}
	}
	if score, ok := process["oomScoreAdj"].(json.Number); ok && strings.HasPrefix(score.String(), "-") {
		delete(process, "oomScoreAdj")
	}
	text, err = json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func without(set any) []any {
	kept := []any{}
	list, _ := set.([]any)
	for _, capability := range list {
		if capability != lacking {
			kept = append(kept, capability)
		}
	}
	return kept
}
