/** Variables every Hono app of ours may rely on; set once at the outermost edge. */
export type HttpEnv = {
  Variables: {
    /** Where the request came from, for limits: an IPv4 address or the /64 of an IPv6 one. */
    network: string;
  };
};
