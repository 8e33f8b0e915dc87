//! Capabilities: those that are needed to make the room, and how they are given up.

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
    set_capabilities_secure_bits, set_no_new_privs,
};

/// What the first process inside needs.
const TO_FINISH: CapabilitySet =
    CapabilitySet::SYS_ADMIN.union(CapabilitySet::SETPCAP).union(CapabilitySet::SYS_RESOURCE).union(FOREIGN_FILES);

/// What root needs for files of other owners.
const FOREIGN_FILES: CapabilitySet =
    CapabilitySet::CHOWN.union(CapabilitySet::DAC_OVERRIDE).union(CapabilitySet::FOWNER).union(CapabilitySet::FSETID);

/// Keeps what the next program needs through its start.
pub(super) fn pass_on() -> io::Result<()> {
    let held = capabilities(None)?;
    let inheritable = held.permitted.intersection(TO_FINISH);
    set_capabilities(None, CapabilitySets { inheritable, ..held })?;
    for capability in inheritable.iter() {
        configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}

/// Gives up all, for good, but what root needs for files of other owners where it may have that.
pub(super) fn give_up(foreign_files: bool) -> io::Result<()> {
    let kept = if foreign_files { FOREIGN_FILES } else { CapabilitySet::empty() };
    clear_ambient_capability_set()?;
    if foreign_files {
        for capability in kept.iter() {
            configure_capability_in_ambient_set(capability, true)?;
        }
    }
    use CapabilitiesSecureBits as Bits;
    let bits = Bits::NO_ROOT | Bits::NO_ROOT_LOCKED | Bits::NO_CAP_AMBIENT_RAISE | Bits::NO_CAP_AMBIENT_RAISE_LOCKED;
    set_capabilities_secure_bits(bits)?;
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            // Past the last that this kernel knows.
            Err(Errno::INVAL) => break,
            removed => removed?,
        }
    }
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: kept })?;
    Ok(set_no_new_privs(true)?)
}
