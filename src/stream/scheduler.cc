#include "stream/scheduler.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/result.h"

namespace midinf {
namespace {

constexpr std::int64_t kAtOnce = std::numeric_limits<std::int64_t>::min();  // the end of a note to be released now
constexpr std::int64_t kNever = std::int64_t{1} << 61;
constexpr std::int64_t kFarthest = std::int64_t{1} << 60;  // times are bounded so that their sums do not overflow

constexpr int kNoteOff = 0x80;
constexpr int kNoteOn = 0x90;
constexpr int kController = 0xB0;
constexpr int kProgram = 0xC0;
constexpr int kChannelVolume = 7;
constexpr int kAllSoundOff = 120;
constexpr int kAllNotesOff = 123;
constexpr int kReleaseVelocity = 64;

MidiMessage midi(std::uint32_t offset, int instrument, int status, int first, int second) {
  return {
      .offset = offset,
      .size = 3,
      .bytes = {static_cast<std::uint8_t>(status), static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(second)},
      .instrument = static_cast<std::uint8_t>(instrument)};
}

// The key that a pitch is struck on: what transposing takes off the keyboard comes back by octaves.
int transposed(int pitch, int instrument, int semitones) {
  if (instrument == kDrums) return pitch;
  int key = pitch + semitones;
  while (key < 0) key += 12;
  while (key > 127) key -= 12;
  return key;
}

void count(std::atomic<std::uint64_t>& counter) {  // there is one writer
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

Scheduler::PendingNotes::PendingNotes(std::size_t capacity)
    : slots_(std::bit_ceil(capacity)), mask_(slots_.size() - 1) {
  MIDINF_ASSERT(capacity >= 1);
}

void Scheduler::PendingNotes::insert(const Pending& note) noexcept {
  std::size_t i = size_++;
  for (; i > 0 && (*this)[i - 1].onset > note.onset; --i) slots_[(first_ + i) & mask_] = (*this)[i - 1];
  slots_[(first_ + i) & mask_] = note;
}

void Scheduler::PendingNotes::pop_front() noexcept {
  first_ = (first_ + 1) & mask_;
  --size_;
}

void Scheduler::PendingNotes::cut_from(Units onset) noexcept {
  while (size_ > 0 && (*this)[size_ - 1].onset >= onset) --size_;
}

bool Scheduler::Block::emit(const MidiMessage& message) noexcept {
  if (count == out.size()) return false;
  out[count++] = message;
  return true;
}

Scheduler::Scheduler(const SchedulerSettings& settings, NoteQueue& queue, const LiveControls& controls)
    : units_per_tick_(Units{1000} / kTicksPerSecond * settings.sample_rate),
      late_limit_(units(settings.late)),
      rebuffer_(Units{settings.rebuffer_ms} * settings.sample_rate),
      queue_(queue),
      controls_(controls),
      pending_(settings.pending),
      voices_(std::size_t{kChannels} * kKeys),
      position_(units(settings.start)),
      reach_(position_),
      panics_seen_(controls.panics.load(std::memory_order_relaxed)),
      playhead_(position_) {
  MIDINF_ASSERT(settings.sample_rate >= 1000 && settings.sample_rate <= 1'000'000);
  MIDINF_ASSERT(settings.rebuffer_ms >= 0);
}

std::size_t Scheduler::process(std::uint32_t frames, std::span<MidiMessage> out) noexcept {
  const auto control = [](const std::atomic<int>& value, int low, int high) {
    return std::clamp(value.load(std::memory_order_relaxed), low, high);
  };
  Block block{.out = out,
              .frames = frames,
              .speed = control(controls_.speed, LiveControls::kMinSpeed, LiveControls::kMaxSpeed),
              .transpose = control(controls_.transpose, -LiveControls::kMaxTranspose, LiveControls::kMaxTranspose),
              .velocity = control(controls_.velocity, 0, LiveControls::kMaxVelocity),
              .playing = controls_.playing.load(std::memory_order_relaxed)};
  for (int i = 0; i < kInstruments; ++i) block.muted[i] = controls_.muted[i].load(std::memory_order_relaxed);
  drain(block.speed);
  obey(block);
  const bool room = silence_and_retune(block);
  if (block.playing) play(block, room);
  samples_ += frames;

  int sounding = 0;
  for (int channel = 0; channel < kChannels; ++channel) sounding += sounding_on(channel);
  sounding_.store(sounding, std::memory_order_relaxed);
  playhead_.store(position_, std::memory_order_relaxed);
  state_.store(block.playing ? clock_ : State::kPaused, std::memory_order_relaxed);
  return block.count;
}

Ticks10ms Scheduler::playhead() const noexcept {
  const Units position = playhead_.load(std::memory_order_relaxed);
  const Units rest = (position % units_per_tick_ + units_per_tick_) % units_per_tick_;
  return Ticks10ms((position - rest) / units_per_tick_);
}

Seconds Scheduler::playhead_seconds() const noexcept {
  return Seconds(static_cast<double>(playhead_.load(std::memory_order_relaxed)) /
                 static_cast<double>(units_per_tick_ * kTicksPerSecond));
}

void Scheduler::drain(int speed) noexcept {
  for (std::size_t taken = 0; taken < queue_.capacity(); ++taken) {  // a producer that never pauses cannot keep us here
    const QueueMessage* message = queue_.front();
    if (message == nullptr) return;
    const Units at = units(message->at);
    switch (message->kind) {
      case QueueMessage::Kind::kNote:
        if (pending_.full()) {  // the reach may be behind this note in the queue: run on, to make room
          reach_ = std::max({reach_, position_ + 1, pending_[pending_.size() - 1].onset + 1});
          return;
        }
        take_note(*message, speed);
        break;
      case QueueMessage::Kind::kReach:
        reach_ = std::max(reach_, at);
        break;
      case QueueMessage::Kind::kCutFrom:
        pending_.cut_from(at);
        reach_ = std::min(reach_, at);
        break;
      case QueueMessage::Kind::kSeek:
        release_all();
        pending_.clear();
        position_ = reach_ = at;
        clock_ = State::kWaiting;
        playhead_.store(position_, std::memory_order_relaxed);
        seeks_.store(seeks_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        break;
    }
    queue_.pop();
  }
}

void Scheduler::take_note(const QueueMessage& message, int speed) noexcept {
  MIDINF_ASSERT(message.instrument < kInstruments && message.pitch < kKeys);
  MIDINF_ASSERT(message.velocity >= 1 && message.velocity <= 127);
  const Pending note{.onset = units(message.at),
                     .length = std::max(units(message.duration), units_per_tick_),
                     .event = message.event,
                     .instrument = message.instrument,
                     .pitch = message.pitch,
                     .velocity = message.velocity};
  if (note.onset + speed <= position_) {  // its sample lies in an earlier block
    if (position_ - note.onset > late_limit_) return count(dropped_);
    count(late_);
  }
  pending_.insert(note);
}

void Scheduler::obey(const Block& block) noexcept {
  const std::uint32_t panics = controls_.panics.load(std::memory_order_relaxed);
  if (panics != panics_seen_) {
    panics_seen_ = panics;
    release_all();
    for (int i = 0; i < kChannels; ++i) {
      Channel& channel = channels_[i];
      if (channel.instrument < 0) continue;
      all_notes_off_ |= 1U << i;
      all_sound_off_ |= 1U << i;
      channel.program_sent = false;  // the synthesizer may be another one now
      channel.volume_sent = -1;
    }
  }
  if (!block.playing) release_all();
  each_voice_while([&](std::size_t i) {
    if (block.muted[voices_[i].instrument]) voices_[i].end = kAtOnce;
    return true;
  });
}

bool Scheduler::silence_and_retune(Block& block) noexcept {
  if (!release_due(block, {.time = position_})) return false;
  const auto send = [&](std::uint32_t& channels, int controller) {
    for (; channels != 0; channels &= channels - 1) {
      const int channel = std::countr_zero(channels);
      if (!block.emit(midi(0, channels_[channel].instrument, kController | channel, controller, 0))) return false;
    }
    return true;
  };
  if (!send(all_notes_off_, kAllNotesOff) || !send(all_sound_off_, kAllSoundOff)) return false;
  for (int channel = 0; channel < kChannels; ++channel)
    if (channels_[channel].program_sent && !set_volume(block, channel, 0)) return false;
  return true;
}

void Scheduler::play(Block& block, bool room) noexcept {
  if (clock_ != State::kPlaying) {
    const Units wanted = std::max<Units>(1, rebuffer_ * block.speed / 1000);
    if (reach_ - position_ < wanted && !pending_.full()) return;
    clock_ = State::kPlaying;
  }
  const std::int64_t known = samples_until(reach_, block.speed);  // so many samples lie before the reach
  const std::int64_t end = std::min<std::int64_t>(known, block.frames);
  const auto instant = [&](std::int64_t offset) {
    return Instant{static_cast<std::uint32_t>(offset), samples_ + offset, position_ + offset * block.speed};
  };
  while (room) {
    Units next = pending_.size() > 0 ? pending_[0].onset : kNever;
    each_voice_while([&](std::size_t i) {
      next = std::min(next, voices_[i].end);
      return true;
    });
    const std::int64_t offset = samples_until(next, block.speed);
    if (offset >= end) break;
    room = play_instant(block, instant(offset));
  }
  if (known < block.frames) {
    clock_ = State::kUnderrun;
    count(underruns_);
    release_all();
    if (room) release_due(block, instant(known));
    position_ = std::max(position_, reach_);
  } else {
    position_ += Units{block.frames} * block.speed;
  }
}

bool Scheduler::play_instant(Block& block, const Instant& now) noexcept {
  // Keys and channels that the notes starting now need are released before the first of them sounds.
  for (std::size_t i = 0; i < pending_.size() && pending_[i].onset <= now.time; ++i) {
    const Pending& note = pending_[i];
    if (block.silences(note)) continue;
    const int channel = channel_for(note.instrument, now.sample);
    if (channel < 0) continue;
    Voice& voice = voices_[voice_index(channel, transposed(note.pitch, note.instrument, block.transpose))];
    if (voice.struck < now.sample) voice.end = kAtOnce;
  }
  if (!release_due(block, now)) return false;
  for (; pending_.size() > 0 && pending_[0].onset <= now.time; pending_.pop_front())
    if (!strike(block, pending_[0], now)) return false;
  return true;
}

bool Scheduler::release_due(Block& block, const Instant& now) noexcept {
  return each_voice_while([&](std::size_t i) {
    const Voice& voice = voices_[i];
    if (voice.end > now.time) return true;
    const int channel = static_cast<int>(i / kKeys);
    MidiMessage off =
        midi(now.offset, voice.instrument, kNoteOff | channel, static_cast<int>(i % kKeys), kReleaseVelocity);
    off.event = voice.event;
    if (!block.emit(off)) return false;
    on_[i / 64] &= ~(std::uint64_t{1} << (i % 64));
    return true;
  });
}

bool Scheduler::strike(Block& block, const Pending& note, const Instant& now) noexcept {
  if (block.silences(note)) return true;
  const int channel = channel_for(note.instrument, now.sample);
  if (channel < 0) {
    count(dropped_);
    count(crowded_out_);
    return true;
  }
  const int key = transposed(note.pitch, note.instrument, block.transpose);
  const std::size_t i = voice_index(channel, key);
  Voice& voice = voices_[i];
  Units end = note.onset + note.length;
  if (now.time - note.onset >= block.speed) end = std::max(end, now.time + units_per_tick_);  // it starts late
  if (is_on(i)) {  // struck on this very sample: the two sound as one
    voice.end = std::max(voice.end, end);
    return true;
  }
  if (!set_program(block, channel, now.offset) || !set_volume(block, channel, now.offset)) return false;
  const int velocity = std::clamp((note.velocity * block.velocity + 50) / 100, 1, 127);
  MidiMessage on = midi(now.offset, note.instrument, kNoteOn | channel, key, velocity);
  on.event = note.event;
  if (!block.emit(on)) return false;
  voice = {.end = end, .struck = now.sample, .event = note.event, .instrument = note.instrument};
  on_[i / 64] |= std::uint64_t{1} << (i % 64);
  return true;
}

bool Scheduler::set_program(Block& block, int channel, std::uint32_t offset) noexcept {
  Channel& state = channels_[channel];
  if (state.program_sent) return true;
  if (channel != kDrumChannel) {
    MidiMessage program = midi(offset, state.instrument, kProgram | channel, state.instrument, 0);
    program.size = 2;
    if (!block.emit(program)) return false;
  }
  state.program_sent = true;
  return true;
}

bool Scheduler::set_volume(Block& block, int channel, std::uint32_t offset) noexcept {
  Channel& state = channels_[channel];
  const int wanted = std::min<int>(controls_.volume[state.instrument].load(std::memory_order_relaxed), 127);
  if (state.volume_sent == wanted) return true;
  if (!block.emit(midi(offset, state.instrument, kController | channel, kChannelVolume, wanted))) return false;
  state.volume_sent = wanted;
  return true;
}

Scheduler::Units Scheduler::units(Ticks10ms t) const noexcept {
  const std::int64_t farthest = kFarthest / units_per_tick_;
  return std::clamp(t.count(), -farthest, farthest) * units_per_tick_;
}

std::int64_t Scheduler::samples_until(Units time, int speed) const noexcept {
  return time <= position_ ? 0 : (time - position_ + speed - 1) / speed;
}

// The channel that an instrument plays on, given to it if need be (what still sounds there is then due), or -1.
int Scheduler::channel_for(int instrument, std::int64_t sample) noexcept {
  const auto use = [&](int i) {
    channels_[i].used = sample;
    return i;
  };
  if (instrument == kDrums) {
    channels_[kDrumChannel].instrument = kDrums;
    return use(kDrumChannel);
  }
  int best = -1;
  int best_sounding = 0;
  for (int i = 0; i < kChannels; ++i) {
    const Channel& channel = channels_[i];
    if (channel.instrument == instrument) return use(i);
    if (i == kDrumChannel || channel.used == sample) continue;
    const int sounding = sounding_on(i);
    if (best < 0 || sounding < best_sounding || (sounding == best_sounding && channel.used < channels_[best].used)) {
      best = i;
      best_sounding = sounding;
    }
  }
  if (best < 0) return best;
  if (best_sounding > 0) count(stolen_);
  for (int key = 0; key < kKeys; ++key) voices_[voice_index(best, key)].end = kAtOnce;
  channels_[best].instrument = instrument;
  channels_[best].program_sent = false;
  return use(best);
}

int Scheduler::sounding_on(int channel) const noexcept {
  constexpr int kWords = kKeys / 64;
  int notes = 0;
  for (int word = 0; word < kWords; ++word) notes += std::popcount(on_[channel * kWords + word]);
  return notes;
}

// Calls visit(index) for every voice that sounds, by channel and key, until one returns false; false then.
template <class Visit>
bool Scheduler::each_voice_while(Visit&& visit) const noexcept {
  for (std::size_t word = 0; word < on_.size(); ++word)
    for (std::uint64_t bits = on_[word]; bits != 0; bits &= bits - 1)
      if (!visit(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)))) return false;
  return true;
}

void Scheduler::release_all() noexcept {
  for (Voice& voice : voices_) voice.end = kAtOnce;
}

}  // namespace midinf
