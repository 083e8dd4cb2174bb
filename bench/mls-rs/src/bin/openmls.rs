// What bench/mls_group.c measures, with OpenMLS: cipher suite 1, basic credentials of 190 bytes, public handshakes, the ratchet tree
// in the Welcome, storage in memory. Its cryptography is RustCrypto, the faster one here; `--libcrux` takes the other. Microseconds
// of CPU. OpenMLS writes its state into the storage with every operation; that is part of what is measured.

use bench::{credential, median, report, sizes, timed, BATCH, MESSAGES, PAYLOAD, RUNS};
use openmls::prelude::tls_codec::{Deserialize, Serialize};
use openmls::prelude::*;
use openmls_basic_credential::SignatureKeyPair;
use openmls_memory_storage::MemoryStorage;

const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

struct Member<P> {
    provider: P,
    signer: SignatureKeyPair,
    credential: CredentialWithKey,
}

fn config() -> MlsGroupCreateConfig {
    MlsGroupCreateConfig::builder()
        .ciphersuite(SUITE)
        .wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY)
        .use_ratchet_tree_extension(true)
        .max_past_epochs(8)
        .build()
}

impl<P: OpenMlsProvider<StorageProvider = MemoryStorage> + Default> Member<P> {
    fn new(index: usize) -> Self {
        let signer = SignatureKeyPair::new(SUITE.signature_algorithm()).unwrap();
        let credential = CredentialWithKey {
            credential: BasicCredential::new(credential(index)).into(),
            signature_key: signer.to_public_vec().into(),
        };
        Member { provider: P::default(), signer, credential }
    }

    fn package(&self) -> KeyPackage {
        let bundle = KeyPackage::builder().build(SUITE, &self.provider, &self.signer, self.credential.clone());
        bundle.unwrap().key_package().clone()
    }

    fn create(&self) -> MlsGroup {
        MlsGroup::new(&self.provider, &self.signer, &config(), self.credential.clone()).unwrap()
    }

    // As a member of the group or not, from the bytes of a Welcome.
    fn join(&self, welcome: &[u8]) -> MlsGroup {
        let MlsMessageBodyIn::Welcome(welcome) = MlsMessageIn::tls_deserialize_exact(welcome).unwrap().extract() else {
            panic!("not a Welcome");
        };
        let processed =
            ProcessedWelcome::new_from_welcome(&self.provider, config().join_config(), welcome).unwrap();
        let staged = JoinBuilder::new(&self.provider, processed).replace_old_group().build().unwrap();
        staged.into_group(&self.provider).unwrap()
    }

    fn add(&self, group: &mut MlsGroup, packages: &[KeyPackage], with_path: bool) -> (Vec<u8>, Vec<u8>) {
        let (commit, welcome, _) = if with_path {
            group.add_members(&self.provider, &self.signer, packages).unwrap()
        } else {
            group.add_members_without_update(&self.provider, &self.signer, packages).unwrap()
        };
        (commit.tls_serialize_detached().unwrap(), welcome.tls_serialize_detached().unwrap())
    }

    fn process(&self, group: &mut MlsGroup, bytes: &[u8]) {
        let message = MlsMessageIn::tls_deserialize_exact(bytes).unwrap().try_into_protocol_message().unwrap();
        let processed = group.process_message(&self.provider, message).unwrap();
        match processed.into_content() {
            ProcessedMessageContent::StagedCommitMessage(commit) => {
                group.merge_staged_commit(&self.provider, *commit).unwrap()
            }
            ProcessedMessageContent::ApplicationMessage(message) => assert_eq!(message.into_bytes().len(), PAYLOAD),
            _ => panic!("neither commit nor message"),
        }
    }
}

fn stored_size(storage: &MemoryStorage) -> f64 {
    let values = storage.values.read().unwrap();
    values.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() as f64
}

fn measure_size<P>(size: usize, with_path: bool) -> Vec<(&'static str, f64)>
where
    P: OpenMlsProvider<StorageProvider = MemoryStorage> + Default,
{
    let moderator = Member::<P>::new(0);
    let members: Vec<_> = (1..size).map(Member::<P>::new).collect();
    let create_us = median((0..RUNS).map(|_| timed(|| moderator.create()).0).collect());

    moderator.provider.storage().values.write().unwrap().clear();
    let mut group = moderator.create();
    let mut other = None;
    let mut next = 0;
    while next + 1 < members.len() {
        let end = (next + BATCH).min(members.len() - 1);
        let packages: Vec<_> = members[next..end].iter().map(|member| member.package()).collect();
        let (commit, welcome) = moderator.add(&mut group, &packages, with_path);
        group.merge_pending_commit(&moderator.provider).unwrap();
        match &mut other {
            None => other = Some(members[0].join(&welcome)),
            Some(group) => members[0].process(group, &commit),
        }
        next = end;
    }
    // the last member is added and joins again and again; member 1 takes each commit from its stored state
    let stored = members[0].provider.storage().values.read().unwrap().clone();
    let last = &members[members.len() - 1];
    let (mut adds, mut joins, mut processes) = (Vec::new(), Vec::new(), Vec::new());
    let mut reader = None;
    for _ in 0..RUNS {
        group.clear_pending_commit(moderator.provider.storage()).unwrap();
        let last_package = [last.package()];
        let (took, (commit, welcome)) = timed(|| moderator.add(&mut group, &last_package, with_path));
        adds.push(took);
        let (took, joined) = timed(|| last.join(&welcome));
        joins.push(took);
        reader = Some(joined);
        if let Some(other) = &other {
            let storage = members[0].provider.storage();
            *storage.values.write().unwrap() = stored.clone();
            let mut member = MlsGroup::load(storage, other.group_id()).unwrap().unwrap();
            processes.push(timed(|| members[0].process(&mut member, &commit)).0);
        }
    }
    group.merge_pending_commit(&moderator.provider).unwrap();
    let mut reader = reader.unwrap();
    let payload = [0u8; PAYLOAD];
    let (mut encrypt, mut decrypt) = (Vec::new(), Vec::new());
    for _ in 0..MESSAGES {
        let (took, sent) = timed(|| {
            let message = group.create_message(&moderator.provider, &moderator.signer, &payload).unwrap();
            message.tls_serialize_detached().unwrap()
        });
        encrypt.push(took);
        decrypt.push(timed(|| last.process(&mut reader, &sent)).0);
    }
    vec![
        ("create", create_us),
        (if with_path { "add+path" } else { "add" }, median(adds)),
        (if with_path { "join" } else { "join-nopath" }, median(joins)),
        (if with_path { "process+path" } else { "process" }, median(processes)),
        ("encrypt", median(encrypt)),
        ("decrypt", median(decrypt)),
        ("state", stored_size(moderator.provider.storage())),
    ]
}

fn run<P: OpenMlsProvider<StorageProvider = MemoryStorage> + Default>() {
    for size in sizes() {
        let mut figures = measure_size::<P>(size, false);
        figures.retain(|(name, _)| ["add", "process"].contains(name));
        figures.extend(measure_size::<P>(size, true));
        report(size, &figures);
    }
}

fn main() {
    if std::env::args().any(|word| word == "--libcrux") {
        run::<openmls_libcrux_crypto::Provider>();
    } else {
        run::<openmls_rust_crypto::OpenMlsRustCrypto>();
    }
}
