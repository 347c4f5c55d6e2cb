//! The binary in a sandbox without a cluster: files, flags, exit codes.

mod files;
mod flags;
mod getting_tools;
mod kind;
mod newcomer;
mod output;
mod saved;
mod shipped;

use crate::support::sandbox::{Run, Sandbox};

/// Expects an exit code and words on either stream.
pub(crate) fn ends_with(run: &Run, code: i32, words: &[&str]) {
    let all = format!("{}\n{}", run.stdout, run.stderr);
    assert_eq!(run.code, Some(code), "{all}");
    for word in words {
        assert!(all.contains(word), "`{word}` is not in:\n{all}");
    }
}

/// A project with one component of plain objects, which no tool is needed to validate.
pub(crate) fn project() -> Sandbox {
    let sandbox = Sandbox::bare();
    sandbox.write(
        "components/thing/component.yaml",
        "schema: component/v1\nname: thing\ntitle: A thing\nlicense: Apache-2.0\nstatus: active\n\
         params:\n  size: {type: quantity, default: 1Gi}\n  count: {type: int, default: 1}\n\
         steps:\n  - id: map\n    kind: objects\n    objects:\n      - {apiVersion: v1, kind: ConfigMap, metadata: {name: thing}, data: {size: \"${param.size}\"}}\n",
    );
    sandbox.write(
        "flavours/one.yaml",
        "project:\n  name: one\n  k8s_namespace: one\n  flavour: thing\nlocal:\n  provider: kwok\nthing:\n  size: 2Gi\n",
    );
    sandbox
}
