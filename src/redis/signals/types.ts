/** A participant's tracks, by kind (`audio`, `video` …), and the media producer of each. */
export type ProducerMap = Readonly<Record<string, string>>;

export interface StreamPublishPayload {
  readonly publishReason: string;
  readonly producerMap: ProducerMap;
  readonly participantId: string;
}

export interface StreamUnPublishPayload {
  readonly unPublishReason: string;
  readonly producerMap: ProducerMap;
  readonly participantId: string;
}

export interface UserJoinedPayload {
  readonly userJoinedReason: string;
}

export interface UserLeftPayload {
  readonly userLeftReason: string;
  readonly instanceId: string;
}

export interface DisconnectPayload {
  readonly disconnectReason: string | null;
}

/** What each signal type carries. The names are the wire's. */
export interface SignalPayloads {
  DoordarshanStreamPublish: StreamPublishPayload;
  DoordarshanStreamUnPublish: StreamUnPublishPayload;
  DoordarshanUserJoined: UserJoinedPayload;
  DoordarshanUserLeft: UserLeftPayload;
  /** Sent for every meeting of a dead media node, with `system` as its sender. */
  DoordarshanDisconnect: DisconnectPayload;
}

export type SignalType = keyof SignalPayloads;

interface SignalOf<T extends SignalType> {
  readonly type: T;
  readonly meetingId: string;
  /** The participant, or `system`. */
  readonly senderId: string;
  /** Participant ids; null or absent for everyone in the meeting. */
  readonly receiverIds?: readonly string[] | null;
  readonly payload: SignalPayloads[T];
  /** Unique. Default: the sender's id followed by Unix nanoseconds. */
  readonly requestId?: string;
}

/** A signal to publish: one shape for each type. */
export type Signal = { [T in SignalType]: SignalOf<T> }[SignalType];

interface ReceivedSignalOf<T extends SignalType> extends Required<SignalOf<T>> {
  readonly kind: "signal";
  /** The entry's id in the stream. */
  readonly id: string;
  /** The trace context (W3C) that it was published in, if it was traced and that trace recorded. */
  readonly traceparent?: string;
}

/** A signal as read from a stream. */
export type ReceivedSignal = { [T in SignalType]: ReceivedSignalOf<T> }[SignalType];

/** An entry that is in neither form of the wire format. */
export interface UnrecognisedEntry {
  readonly kind: "unrecognised";
  readonly id: string;
  /** As they stand in the stream. */
  readonly fields: Readonly<Record<string, string>>;
  readonly reason: string;
}

export type DecodedEntry = ReceivedSignal | UnrecognisedEntry;
