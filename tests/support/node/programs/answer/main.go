// A web server for pods of tests: it answers, and can be told to misbehave.
//
//	LISTEN        the address, :8080 where nothing is said
//	TEXT          what / answers
//	READY_AFTER   /ready is 503 until that long after the start: 20s, or "never"
//	CRASH_AFTER   it says so on its last line and ends with 1 that long after the start
//	EAT           it takes this many MiB of memory and uses them
//	IGNORE_TERM   any text: SIGTERM changes nothing
//	TLS           a folder with tls.crt and tls.key: it speaks HTTPS
//
// GET /crash ends it with 1, /eat?mib=100 takes memory, /exit ends it with 0. As an admission webhook /deny says no with TEXT,
// and /hang does not answer for a minute.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

var (
	mutex sync.Mutex
	eaten [][]byte
)

func main() {
	log.SetFlags(0)
	log.SetOutput(os.Stdout)
	began := time.Now()
	if os.Getenv("IGNORE_TERM") != "" {
		signal.Ignore(syscall.SIGTERM)
	} else {
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM, os.Interrupt)
		go func() {
			log.Printf("told to stop: %v", <-told)
			os.Exit(0)
		}()
	}
	if after := wait("CRASH_AFTER"); after != nil {
		time.AfterFunc(*after, func() { crash("as told") })
	}
	if mib, err := strconv.Atoi(os.Getenv("EAT")); err == nil {
		eat(mib)
	}
	ready := wait("READY_AFTER")
	never := os.Getenv("READY_AFTER") == "never"
	http.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if never || ready != nil && time.Since(began) < *ready {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	http.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { crash("asked to") })
	http.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(0) })
	http.HandleFunc("/eat", func(w http.ResponseWriter, r *http.Request) {
		mib, _ := strconv.Atoi(r.FormValue("mib"))
		eat(mib)
		fmt.Fprintln(w, "eaten")
	})
	text := os.Getenv("TEXT")
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, text) })
	http.HandleFunc("/hang", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) })
	http.HandleFunc("/deny", func(w http.ResponseWriter, r *http.Request) {
		var review struct {
			Request struct{ UID string }
		}
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{
			"apiVersion": "admission.k8s.io/v1",
			"kind":       "AdmissionReview",
			"response": map[string]any{
				"uid":     review.Request.UID,
				"allowed": false,
				"status":  map[string]any{"code": 403, "message": text},
			},
		})
	})
	listen := os.Getenv("LISTEN")
	if listen == "" {
		listen = ":8080"
	}
	log.Printf("listening on %s", listen)
	if folder := os.Getenv("TLS"); folder != "" {
		log.Fatal(http.ListenAndServeTLS(listen, folder+"/tls.crt", folder+"/tls.key", nil))
	}
	log.Fatal(http.ListenAndServe(listen, nil))
}

func wait(name string) *time.Duration {
	text := os.Getenv(name)
	if text == "" || text == "never" {
		return nil
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	return &length
}

func crash(why string) {
	log.Printf("fatal: cannot go on, %s", why)
	os.Exit(1)
}

func eat(mib int) {
	piece := make([]byte, mib<<20)
	for at := 0; at < len(piece); at += 4096 {
		piece[at] = 1
	}
	mutex.Lock()
	eaten = append(eaten, piece)
	mutex.Unlock()
	log.Printf("took %d MiB", mib)
}
